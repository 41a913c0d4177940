/** The scope a rollout is recorded as is declared, never guessed; pins that plainly say otherwise are told. */
import { describe, expect, it } from "vitest";
import type { Pins } from "../../config/pins.ts";
import { recordedScope, scopeText } from "../../config/recorded-scope.ts";
import { configOf, pinsOf } from "./sample.ts";
import { afterScope, definition, plan, recorded } from "../rollout/sample.ts";

const ORDER = ["v3.0.0", "v4.0.0"];
const asked = (name: string, to: Pins, from: Pins | null = recorded(), unfinished = false) =>
  recordedScope({ definition, scope: { name }, from, to, unfinished, order: ORDER });

describe("the declared scope", () => {
  it.each(Object.keys(definition.scopes))("%s is recorded with its pins, also where they stood before", (scope) => {
    expect(asked(scope, afterScope(scope))).toEqual({ scope });
    // The way back from a deployment that never opened.
    if (definition.scopes[scope]!.pins.release === "to")
      expect(asked(scope, afterScope(scope), recorded({ release: "v3.0.0" }), true)).toEqual({ scope });
  });

  it("none is guessed: pins of a scope without its name are none's, so that every check runs", () => {
    expect(recordedScope({ definition, scope: null, from: recorded(), to: afterScope("quick"), unfinished: false, order: ORDER })).toEqual({
      scope: null,
    });
    expect(plan(afterScope("quick")).scope).toBeNull();
  });

  it("is not recorded where its data comes back out of quarantine, which is no mistake", () => {
    const undone = pinsOf({ release: "v3.0.0", data: "quarantine:pfa_quarantine_3" });
    expect(asked("restore", undone)).toEqual({ scope: null });
    expect(asked("quick", { ...undone, services: afterScope("quick").services }).misfit).toMatch(/leaves the data unchanged/);
  });

  it("is no part of a rollout's identity, and has to exist", () => {
    expect(pinsOf({ scope: "quick" })).toEqual(pinsOf());
    expect(configOf({ scope: "quick" }).scope).toEqual({ name: "quick" });
    expect(() => pinsOf({ scope: "quik" })).toThrow(
      /backout:scope: "quik" is not allowed: .*has no such scope, only .*did you mean `quick`/,
    );
    expect(() => pinsOf({ scope: { name: "quick", service: "worker" } })).toThrow(/backout:scope.service: .*write only the scope's name/);
    expect(configOf({ scope: "" }).scope).toBeUndefined();
  });

  it("with the service it is for, where it is for one", () => {
    const service = { ...definition.scopes["backend"]!, pins: { service: { restart: true as const }, data: "current" as const } };
    const system = { ...definition, scopes: { ...definition.scopes, service } };
    const to = pinsOf({ services: { worker: { restart: 1 } } });
    const question = { definition: system, from: recorded(), to, unfinished: false, order: ORDER };
    expect(recordedScope({ ...question, scope: { name: "service", service: "worker" } })).toEqual({
      scope: "service",
      service: "worker",
    });
    expect([scopeText("service", "worker"), scopeText("quick", undefined)]).toEqual(["service of worker", "quick"]);
  });
});

describe("pins that are none of the declared scope's", () => {
  it.each<[string, string, Pins, Pins | null, RegExp]>([
    ["a first deployment", "quick", pinsOf(), null, /nothing is deployed yet/],
    ["a deployment", "quick", pinsOf(), recorded({ release: "v3.0.0" }), /v4\.0\.0 is newer than v3\.0\.0 in the ledger/],
    ["a release that stays", "quick", pinsOf(), recorded(), /rolls the release back, and v4\.0\.0 stays/],
    ["the worker on", "quick", pinsOf({ release: "v3.0.0" }), recorded(), /requires worker off, which is declared on/],
    ["no snapshot", "restore", afterScope("quick"), recorded(), /restores the data from a snapshot, and backout:data is current/],
    ["a snapshot", "quick", { ...afterScope("restore") }, recorded(), /leaves the data unchanged, and backout:data is before-v4\.0\.0@1/],
    ["another schema", "full", afterScope("quick"), recorded(), /requires backout:schema "mark", which is "keep"/],
    [
      "no maintenance",
      "worker",
      pinsOf({ services: { worker: { run: "off" } } }),
      recorded(),
      /requires maintenance read-only, which is off/,
    ],
  ])("%s: said in one sentence, and nothing is recorded", (_what, name, to, from, said) => {
    const { scope, misfit } = asked(name, to, from);
    expect(scope).toBeNull();
    expect(misfit).toMatch(said);
    expect(misfit).toMatch(new RegExp(`^backout:scope "${name}" is not recorded: .*; remove it, or pin what it asks for$`));
  });
});
