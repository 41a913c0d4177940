/** Scopes for one component, and those that bring recorded configuration back: the lines they write, and how they are known again. */
import { describe, expect, it } from "vitest";
import { changedLines, editPins, type PinEdit } from "../../config/edit.ts";
import { deployEdits, ScopeComponentError, scopeEdits, type ScopeTarget } from "../../config/scope.ts";
import { configHash } from "../../workloads/starting.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { siteOf } from "../../config/site.ts";
import { configurationChanges } from "../../state/configuration.ts";
import type { ScopeDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { declaredOf, definition, pinsOf, STACK } from "./sample.ts";

const scope = (pins: ScopeDefinition["pins"]): ScopeDefinition => ({
  ...definition.scopes["backend"]!,
  pins: { data: "current", schema: "keep", ...pins },
});
const system: SystemDefinition = {
  ...definition,
  scopes: {
    ...definition.scopes,
    service: scope({ component: { restart: true } }),
    "service-release": scope({ component: { release: "to" } }),
    settings: scope({ components: { backend: { config: ["POOL"], restart: true } } }),
    environment: scope({ components: { backend: { config: "ledger", restart: true }, worker: { config: "ledger", restart: true } } }),
  },
};
const OVERRIDES: PinEdit[] = [
  { path: ["components", "backend", "config", "POOL"], value: "1" },
  { path: ["components", "backend", "config", "LEVEL"], value: "debug" },
  { path: ["components", "worker", "config", "LEVEL"], value: "debug" },
];
const overridden = editPins(STACK, OVERRIDES);
const after = (name: string, target: Partial<ScopeTarget> = {}, text = overridden): string =>
  editPins(text, scopeEdits(system, { scope: name, to: "v3.0.0", snapshots: {}, block: null, ...target }));
const pinsIn = (text: string, change = {}) => resolvePins(declaredOf(change, text), system);
const added = (name: string, component?: string) =>
  component === undefined ? [`  backout:scope: ${name}`] : ["  backout:scope:", `    name: ${name}`, `    component: ${component}`];

describe("a scope for one component", () => {
  it("raises the counter of that one alone, every time", () => {
    const once = after("service", { component: "worker" });
    expect(changedLines(overridden, once)).toEqual({ removed: [], added: ["      restart: 1", ...added("service", "worker")] });
    const twice = after("service", { component: "worker", restarts: { worker: 1 } }, once);
    expect(changedLines(once, twice)).toEqual({ removed: ["      restart: 1"], added: ["      restart: 2"] });
    expect(declaredOf({}, twice).scope).toEqual({ name: "service", component: "worker" });
  });

  it("takes that one alone to the earlier release", () => {
    const text = after("service-release", { component: "worker" });
    expect(changedLines(overridden, text)).toEqual({
      removed: [],
      added: ["      release: v3.0.0", ...added("service-release", "worker")],
    });
  });

  it("needs one that there is; other scopes take none", () => {
    expect(() => after("service")).toThrow(/is for one component: name it with --component \(worker, backend, frontend\)/);
    expect(() => after("service", { component: "bakend" })).toThrow(/"bakend" is not one of .*did you mean `backend`/);
    expect(() => after("quick", { component: "worker" })).toThrow(ScopeComponentError);
  });

  it("a component that is asked to start anew is another one to start, and stays as it is otherwise", () => {
    const site = siteOf(declaredOf(), "test", "/project");
    const pin = pinsOf().components["worker"]!;
    const hashes = [pin, { ...pin, restart: 1 }, { ...pin, restart: 2 }].map((one) => configHash(site, "worker", one));
    expect(new Set(hashes).size).toBe(3);
    expect(declaredOf({}, editPins(after("service", { component: "worker" }), deployEdits(system, "v4.0.0"))).scope).toBeUndefined();
  });
});

describe("recorded configuration comes back", () => {
  it("for the keys that are named, or for everything; each component that is named starts anew", () => {
    const some = after("settings");
    expect(changedLines(overridden, some)).toEqual({ removed: ['        POOL: "1"'], added: ["      restart: 1", ...added("settings")] });
    expect(pinsIn(some).components["backend"]!.config).toEqual({ LEVEL: "debug" });
    const all = after("environment");
    expect([pinsIn(all).components["backend"]!.config, pinsIn(all).components["worker"]!.config]).toEqual([{}, {}]);
    expect([configurationChanges(pinsIn(overridden), pinsIn(all)), configurationChanges(pinsIn(all), pinsIn(all))]).toEqual([true, false]);
  });

  it("as it was before, where that was otherwise than the ledger records: a setting of the ledger's own is taken away", () => {
    const overrides = { backend: { POOL: "2", LEVEL: null }, worker: { LEVEL: undefined } };
    const some = after("settings", { overrides });
    expect(changedLines(overridden, some).added).toContain('        POOL: "2"');
    expect(pinsIn(some).components["backend"]!.config).toEqual({ POOL: "2", LEVEL: "debug" });
    const { releases } = declaredOf();
    releases["v4.0.0"]!.components["backend"]!.config = { LEVEL: "info", OTHER: "1" };
    const all = pinsIn(after("environment", { overrides }), { releases });
    expect(all.components["backend"]!.config).toEqual({ POOL: "2", OTHER: "1" });
    expect(all.components["worker"]!.config).toEqual({});
  });
});
