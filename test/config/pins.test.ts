import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigErrors, type ConfigError } from "../../config/errors.ts";
import { canonical, rolloutOf, parseDataPin, showDataPin, type DataPin, type Pins } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { configOf, definition, pinsOf } from "./sample.ts";

function errorsOf(change: Record<string, unknown>, system: SystemDefinition = definition): ConfigError[] {
  try {
    resolvePins(configOf(change), system);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The same system with its database in a file. */
const inFile = {
  ...definition,
  databases: Object.fromEntries(
    Object.entries(definition.databases).map(([name, database]) => [name, { ...database, engine: "sqlite" as const }]),
  ),
} satisfies SystemDefinition;

describe("where the data is", () => {
  it("a server is needed where a database is on one, and refused where none is", () => {
    const [missing] = errorsOf({ server: undefined });
    expect(missing).toMatchObject({ key: "backout:server" });
    expect(missing!.allowed).toMatch(/pfa is a PostgreSQL database: give `\{embedded: true, port\}`/);
    const [given] = errorsOf({}, inFile);
    expect(given).toMatchObject({ key: "backout:server" });
    expect(given!.allowed).toMatch(/has only SQLite files \(pfa\): remove it/);
    expect(resolvePins(configOf({ server: undefined, files: { pfa: "databases/production.db" } }), inFile).release).toBe("v4.0.0");
  });

  it("a file is named for a database that is one", () => {
    const [unknown] = errorsOf({ server: undefined, files: { pfaa: "x.db" } }, inFile);
    expect(unknown).toMatchObject({ key: "backout:files.pfaa" });
    expect(unknown!.allowed).toMatch(/did you mean `pfa`/);
    expect(errorsOf({ files: { pfa: "x.db" } })[0]!.allowed).toMatch(/no SQLite database of pfa-vanguard, which has none/);
  });
});

describe("pins that are refused", () => {
  it("a blocked release, naming the incident and how to lift the block", () => {
    const [error, ...more] = errorsOf({ blocked: { "v4.0.0": "INCIDENT-7" } });
    expect(more).toEqual([]);
    expect(error).toMatchObject({ key: "backout:release", value: "v4.0.0" });
    expect(error!.allowed).toMatch(/blocked by INCIDENT-7.*remove v4\.0\.0 from backout:blocked/);
  });

  it("a blocked release, with the command as it is typed", () => {
    const blocked = configOf({ blocked: { "v4.0.0": "INCIDENT-7" } });
    expect(() => resolvePins(blocked, definition, { project: "/nowhere", stack: "dev" })).toThrow(
      /once it is fixed, run `npx backout unblock v4\.0\.0 --stack dev`, or remove/,
    );
  });

  it("a blocked release pinned for one service only", () => {
    const [error] = errorsOf({ release: "v3.0.0", services: { backend: { release: "v4.0.0" } }, blocked: { "v4.0.0": "INCIDENT-7" } });
    expect(error).toMatchObject({ key: "backout:services.backend.release", value: "v4.0.0" });
    expect(error!.allowed).toContain("INCIDENT-7");
  });

  it("a release that is not in the ledger", () => {
    const [error] = errorsOf({ release: "v3.0.1" });
    expect(error).toMatchObject({ key: "backout:release", value: "v3.0.1" });
    expect(error!.allowed).toMatch(/v3\.0\.0, v4\.0\.0.*did you mean `v3\.0\.0`/);
    expect(errorsOf({ services: { worker: { release: "v9" } } })[0]).toMatchObject({
      key: "backout:services.worker.release",
      value: "v9",
    });
  });

  it("a service the system does not have", () => {
    const [error] = errorsOf({ services: { wroker: { run: "off" } } });
    expect(error).toMatchObject({ key: "backout:services.wroker" });
    expect(error!.allowed).toMatch(/pfa-vanguard has no such service, only worker, backend, frontend.*did you mean `worker`/);
  });

  it("a release that lacks a service's build", () => {
    const { releases } = configOf();
    const { worker: _left, ...services } = releases["v4.0.0"]!.services;
    const [error] = errorsOf({ releases: { ...releases, "v4.0.0": { ...releases["v4.0.0"], services } } });
    expect(error).toMatchObject({ key: "backout:releases.v4.0.0.services", value: ["backend", "frontend"], allowed: "lacks worker" });
  });

  it("a migration the system does not know", () => {
    const { releases } = configOf();
    const [error] = errorsOf({ releases: { ...releases, "v4.0.0": { ...releases["v4.0.0"], schema: { pfa: "20991231000000_future" } } } });
    expect(error).toMatchObject({ key: "backout:releases.v4.0.0.schema.pfa", value: "20991231000000_future" });
    expect(error!.allowed).toContain("20250601000001_initial");
  });

  it("a database the system does not have", () => {
    expect(errorsOf({ data: { pfb: "current" } })[0]).toMatchObject({
      key: "backout:data.pfb",
      allowed: expect.stringContaining("only pfa (did you mean") as string,
    });
  });

  it("several at once, all told", () => {
    const errors = errorsOf({
      services: { wroker: { run: "off" }, backend: { release: "v9" } },
      data: { pfb: "current" },
      blocked: { "v4.0.0": "INCIDENT-7" },
    });
    expect(errors.map(({ key }) => key).sort()).toEqual([
      "backout:data.pfb",
      "backout:release",
      "backout:services.backend.release",
      "backout:services.wroker",
    ]);
  });
});

describe("pins as resolved", () => {
  it("every service runs the release unless pinned apart", () => {
    const pins = pinsOf({ services: { backend: { release: "v3.0.0" }, worker: { run: "off" } } });
    expect(Object.entries(pins.services).map(([name, { release, run }]) => [name, release, run])).toEqual([
      ["worker", "v4.0.0", false],
      ["backend", "v3.0.0", true],
      ["frontend", "v4.0.0", true],
    ]);
    expect(pins.services["backend"]!.artefact).toEqual(configOf().releases["v3.0.0"]!.services["backend"]);
    expect(pins.needs).toEqual({ pfa: "20251128000003_phase4_bidirectional_sync_infrastructure" });
  });

  it("a service pinned apart to a newer release needs that one's schema", () => {
    expect(pinsOf({ release: "v3.0.0" }).needs).toEqual({ pfa: "20250915000002_forecast_window" });
    expect(pinsOf({ release: "v3.0.0", services: { backend: { release: "v4.0.0" } } }).needs).toEqual({
      pfa: "20251128000003_phase4_bidirectional_sync_infrastructure",
    });
    expect(pinsOf({ release: "v4.0.0", services: { backend: { release: "v3.0.0" } } }).needs).toEqual({
      pfa: "20251128000003_phase4_bidirectional_sync_infrastructure",
    });
  });

  it("a pin's configuration goes over the ledger's", () => {
    const { releases } = configOf();
    const backend = { ...releases["v4.0.0"]!.services["backend"], config: { LOG: "info", LIMIT: "10" } };
    const ledger = {
      ...releases,
      "v4.0.0": { ...releases["v4.0.0"], services: { ...releases["v4.0.0"]!.services, backend }, flags: { sync: true, old: true } },
    };
    const pins = pinsOf({ releases: ledger, services: { backend: { config: { LIMIT: "20", NEW: "1" } } }, flags: { sync: false } });
    expect(pins.services["backend"]!.config).toEqual({ LOG: "info", LIMIT: "20", NEW: "1" });
    expect(pins.services["worker"]!.config).toEqual({});
    expect(pins.flags).toEqual({ sync: false, old: true });
  });

  it("maintenance and declared snapshots", () => {
    expect(pinsOf().maintenance).toEqual({ mode: "off", message: "" });
    expect(pinsOf({ maintenance: { mode: "full", message: "Back at noon" } }).maintenance).toEqual({
      mode: "full",
      message: "Back at noon",
    });
    expect(pinsOf({ backups: { snapshots: ["weekly", "audit"] } }).snapshots).toEqual(["audit", "weekly"]);
  });

  it.each<[unknown, DataPin]>([
    ["current", { kind: "current" }],
    [undefined, { kind: "current" }],
    ["before-v4.0.0", { kind: "snapshot", name: "before-v4.0.0", generation: null, again: 0 }],
    ["before-v4.0.0@2", { kind: "snapshot", name: "before-v4.0.0", generation: 2, again: 0 }],
    [
      { snapshot: "before-v4.0.0@2", again: 3 },
      { kind: "snapshot", name: "before-v4.0.0", generation: 2, again: 3 },
    ],
    ["quarantine:pfa_quarantine_3", { kind: "quarantine", name: "pfa_quarantine_3" }],
  ])("data pin %j, for all databases and by name", (text, pin) => {
    expect(pinsOf({ data: text }).data).toEqual({ pfa: pin });
    if (text !== undefined) expect(pinsOf({ data: { pfa: text } }).data).toEqual({ pfa: pin });
  });

  it("databases a map leaves out stay as they are", () => {
    const two = { ...definition, databases: { ...definition.databases, audit: definition.databases["pfa"]! } };
    expect(resolvePins(configOf({ data: { audit: "weekly@1" } }), two).data).toEqual({
      pfa: { kind: "current" },
      audit: { kind: "snapshot", name: "weekly", generation: 1, again: 0 },
    });
  });

  it("a data pin is shown as it is written", () => {
    for (const text of ["current", "before-v4.0.0", "before-v4.0.0@2", "quarantine:pfa_quarantine_3"])
      expect(showDataPin(parseDataPin(text))).toBe(text);
    expect(showDataPin(parseDataPin({ snapshot: "before-v4.0.0@2", again: 1 }))).toBe("before-v4.0.0@2 (again: 1)");
  });
});

/** The same value with the keys of every map in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, shuffled(inner)]),
  );
}

describe("identity of a rollout", () => {
  it("the order of keys does not matter", () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => canonical(shuffled(value)) === canonical(value)));
    const pins = pinsOf({ flags: { b: true, a: false }, services: { worker: { run: "off", config: { Z: "1", A: "2" } } } });
    expect(rolloutOf(shuffled(pins) as Pins)).toBe(rolloutOf(pins));
  });

  it("survives the way through the engine and the state database", () => {
    const pins = pinsOf({ services: { worker: { config: { A: "2" } } } });
    expect(rolloutOf(JSON.parse(JSON.stringify(pins)) as Pins)).toBe(rolloutOf(pins));
  });

  it("different values never look alike", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const same = canonical(a) === canonical(b);
        expect(same).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
        expect(JSON.parse(canonical(a))).toEqual(JSON.parse(JSON.stringify(a)));
      }),
    );
  });

  it("any change of any pin changes it", () => {
    const pins = pinsOf({
      flags: { sync: true },
      services: { worker: { config: { A: "2" } } },
      data: "before-v4.0.0@2",
      backups: { snapshots: ["audit"] },
    });
    const leaves: string[][] = [];
    const walk = (value: unknown, at: string[]): void => {
      if (typeof value !== "object" || value === null) return void leaves.push(at);
      for (const [key, inner] of Object.entries(value)) walk(inner, [...at, key]);
    };
    walk(pins, []);
    expect(leaves.length).toBeGreaterThan(15);
    const before = rolloutOf(pins);
    const seen = new Set([before]);
    for (const leaf of leaves) {
      const changed = structuredClone(pins) as unknown as Record<string, unknown>;
      const parent = leaf.slice(0, -1).reduce<Record<string, unknown>>((value, step) => value[step] as Record<string, unknown>, changed);
      const last = leaf.at(-1)!;
      const value = parent[last];
      parent[last] = typeof value === "boolean" ? !value : typeof value === "number" ? value + 1 : `${String(value)}!`;
      seen.add(rolloutOf(changed as unknown as Pins));
    }
    expect(seen.size).toBe(leaves.length + 1);
  });

  it.each<[string, Record<string, unknown>]>([
    ["release", { release: "v3.0.0" }],
    ["one service's release", { services: { frontend: { release: "v3.0.0" } } }],
    ["one service off", { services: { worker: { run: "off" } } }],
    ["configuration", { services: { backend: { config: { LIMIT: "20" } } } }],
    ["data", { data: "before-v4.0.0@1" }],
    ["the next generation", { data: "before-v4.0.0@2" }],
    ["the same snapshot again", { data: { snapshot: "before-v4.0.0@1", again: 1 } }],
    ["quarantine", { data: "quarantine:pfa_quarantine_1" }],
    ["schema", { schema: "mark" }],
    ["a flag", { flags: { sync: false } }],
    ["maintenance", { maintenance: "read-only" }],
    ["its message", { maintenance: { mode: "read-only", message: "Back soon" } }],
    ["a declared snapshot", { backups: { snapshots: ["audit"] } }],
  ])("%s counts", (_pin, change) => {
    expect(rolloutOf(pinsOf(change))).not.toBe(rolloutOf(pinsOf()));
  });

  it("how much is kept, which standby copies are made and what becomes of new rows is no pin", () => {
    expect(rolloutOf(pinsOf({ backups: { keep: 9, quarantines: 9 }, standby: "never", newWrites: "reject", exact: true }))).toBe(
      rolloutOf(pinsOf()),
    );
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => ({ key, inner: sorted(inner) }))
    .concat([{ key: "a map", inner: null }]);
}
