/** Scopes for one service, and those that bring recorded configuration back: the lines they write, and how they are known again. */
import { describe, expect, it } from "vitest";
import { changedLines, editPins, type PinEdit } from "../../config/edit.ts";
import { deployEdits, ScopeServiceError, scopeEdits, type ScopeTarget } from "../../config/scope.ts";
import { configHash } from "../../workloads/starting.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { siteOf } from "../../config/site.ts";
import { configurationChanges } from "../../state/configuration.ts";
import type { ScopeDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { configOf, definition, pinsOf, STACK } from "./sample.ts";

const scope = (pins: ScopeDefinition["pins"]): ScopeDefinition => ({
  ...definition.scopes["backend"]!,
  pins: { data: "current", schema: "keep", ...pins },
});
const system: SystemDefinition = {
  ...definition,
  scopes: {
    ...definition.scopes,
    service: scope({ service: { restart: true } }),
    "service-release": scope({ service: { release: "to" } }),
    settings: scope({ services: { backend: { config: ["POOL"], restart: true } } }),
    environment: scope({ services: { backend: { config: "ledger", restart: true }, worker: { config: "ledger", restart: true } } }),
  },
};
const OVERRIDES: PinEdit[] = [
  { path: ["services", "backend", "config", "POOL"], value: "1" },
  { path: ["services", "backend", "config", "LEVEL"], value: "debug" },
  { path: ["services", "worker", "config", "LEVEL"], value: "debug" },
];
const overridden = editPins(STACK, OVERRIDES);
const after = (name: string, target: Partial<ScopeTarget> = {}, text = overridden): string =>
  editPins(text, scopeEdits(system, { scope: name, to: "v3.0.0", snapshots: {}, block: null, ...target }));
const pinsIn = (text: string, change = {}) => resolvePins(configOf(change, text), system);
const added = (name: string, service?: string) =>
  service === undefined ? [`  backout:scope: ${name}`] : ["  backout:scope:", `    name: ${name}`, `    service: ${service}`];

describe("a scope for one service", () => {
  it("raises the counter of that one alone, every time", () => {
    const once = after("service", { service: "worker" });
    expect(changedLines(overridden, once)).toEqual({ removed: [], added: ["      restart: 1", ...added("service", "worker")] });
    const twice = after("service", { service: "worker", restarts: { worker: 1 } }, once);
    expect(changedLines(once, twice)).toEqual({ removed: ["      restart: 1"], added: ["      restart: 2"] });
    expect(configOf({}, twice).scope).toEqual({ name: "service", service: "worker" });
  });

  it("takes that one alone to the earlier release", () => {
    const text = after("service-release", { service: "worker" });
    expect(changedLines(overridden, text)).toEqual({
      removed: [],
      added: ["      release: v3.0.0", ...added("service-release", "worker")],
    });
  });

  it("needs one that there is; other scopes take none", () => {
    expect(() => after("service")).toThrow(/is for one service: name it with --service \(worker, backend, frontend\)/);
    expect(() => after("service", { service: "bakend" })).toThrow(/"bakend" is not one of .*did you mean `backend`/);
    expect(() => after("quick", { service: "worker" })).toThrow(ScopeServiceError);
  });

  it("a service that is asked to start anew is another one to start, and stays as it is otherwise", () => {
    const site = siteOf(configOf(), "test", "/project");
    const pin = pinsOf().services["worker"]!;
    const hashes = [pin, { ...pin, restart: 1 }, { ...pin, restart: 2 }].map((one) => configHash(site, "worker", one));
    expect(new Set(hashes).size).toBe(3);
    expect(configOf({}, editPins(after("service", { service: "worker" }), deployEdits(system, "v4.0.0"))).scope).toBeUndefined();
  });
});

describe("recorded configuration comes back", () => {
  it("for the keys that are named, or for everything; each service that is named starts anew", () => {
    const some = after("settings");
    expect(changedLines(overridden, some)).toEqual({ removed: ['        POOL: "1"'], added: ["      restart: 1", ...added("settings")] });
    expect(pinsIn(some).services["backend"]!.config).toEqual({ LEVEL: "debug" });
    const all = after("environment");
    expect([pinsIn(all).services["backend"]!.config, pinsIn(all).services["worker"]!.config]).toEqual([{}, {}]);
    expect([configurationChanges(pinsIn(overridden), pinsIn(all)), configurationChanges(pinsIn(all), pinsIn(all))]).toEqual([true, false]);
  });

  it("as it was before, where that was otherwise than the ledger records: a setting of the ledger's own is taken away", () => {
    const overrides = { backend: { POOL: "2", LEVEL: null }, worker: { LEVEL: undefined } };
    const some = after("settings", { overrides });
    expect(changedLines(overridden, some).added).toContain('        POOL: "2"');
    expect(pinsIn(some).services["backend"]!.config).toEqual({ POOL: "2", LEVEL: "debug" });
    const { releases } = configOf();
    releases["v4.0.0"]!.services["backend"]!.config = { LEVEL: "info", OTHER: "1" };
    const all = pinsIn(after("environment", { overrides }), { releases });
    expect(all.services["backend"]!.config).toEqual({ POOL: "2", OTHER: "1" });
    expect(all.services["worker"]!.config).toEqual({});
  });
});
