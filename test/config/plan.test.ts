// Longer than 300 lines: all of a plan's rules are about the same small system.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Pins, parseDataPin } from "../../config/pins.ts";
import { SnapshotPinError } from "../../config/plan.ts";
import { ordered, planRollout, resolveSnapshot } from "../../config/make-plan.ts";
import { configOf, pinsOf } from "./sample.ts";
import { afterScope, asJsonb, definition, facts, MIGRATIONS, plan, recorded, SNAPSHOT } from "../rollout/sample.ts";

const [, FORECAST, SYNC] = MIGRATIONS as [string, string, string];
const none = { action: { kind: "none" }, up: [], back: [], backBy: "keep" };
const QUARANTINE = "pfa_quarantine_3";

describe("what each scope of a rollback takes", () => {
  it.each<[string, { stop: string[]; fenceData: boolean; closeGate: boolean; back: string[]; backBy: string; action: string }]>([
    ["quick", { stop: ["worker", "backend"], fenceData: false, closeGate: true, back: [SYNC], backBy: "keep", action: "none" }],
    ["full", { stop: ["worker", "backend"], fenceData: true, closeGate: true, back: [SYNC], backBy: "mark", action: "none" }],
    ["restore", { stop: ["worker", "backend"], fenceData: true, closeGate: true, back: [], backBy: "keep", action: "restore" }],
    ["worker", { stop: ["worker"], fenceData: false, closeGate: false, back: [], backBy: "keep", action: "none" }],
    ["backend", { stop: ["worker", "backend"], fenceData: false, closeGate: true, back: [], backBy: "keep", action: "none" }],
    ["frontend", { stop: [], fenceData: false, closeGate: false, back: [], backBy: "keep", action: "none" }],
  ])("%s", (scope, { stop, fenceData, closeGate, back, backBy, action }) => {
    const planned = plan(afterScope(scope), { scope: { name: scope } });
    expect(planned).toMatchObject({ scope, forward: false, stop, fenceData, closeGate, take: [], fromRelease: "v4.0.0" });
    expect(planned.databases["pfa"]).toMatchObject({ action: { kind: action }, up: [], back, backBy });
    expect(planned.off).toEqual(scope === "frontend" ? [] : ["worker"]);
  });

  it("is told in words, per service", () => {
    expect(plan(afterScope("quick")).changes).toEqual([
      { service: "worker", from: "v4.0.0", to: "v3.0.0", what: "v4.0.0 → v3.0.0, stopped" },
      { service: "backend", from: "v4.0.0", to: "v3.0.0", what: "v4.0.0 → v3.0.0" },
      { service: "frontend", from: "v4.0.0", to: "v3.0.0", what: "v4.0.0 → v3.0.0" },
    ]);
    expect(plan(afterScope("worker"))).toMatchObject({
      changes: [{ service: "worker", what: "stopped" }],
      maintenanceChanged: true,
      flagsChanged: Object.keys(afterScope("worker").flags),
    });
  });

  it("the same pins again are no change at all", () => {
    const again = plan(pinsOf());
    expect(again).toMatchObject({
      changes: [],
      stop: [],
      closeGate: false,
      fenceData: false,
      take: [],
      flagsChanged: [],
      maintenanceChanged: false,
      scope: null,
    });
    expect(again.databases["pfa"]).toEqual(none);
  });

  it("nor does it matter in which order a database or an engine hands keys back", () => {
    const { releases } = configOf();
    const sha256 = "ab".repeat(32);
    const services = Object.fromEntries(
      Object.keys(definition.services).map((name) => [
        name,
        { path: name, sha256, commit: "c".repeat(40), image: `sha256:${sha256}`, config: { LIMIT: "1", A: "2" } },
      ]),
    );
    const change = { releases: { ...releases, "v4.0.0": { ...releases["v4.0.0"], services } }, data: "before-v4.0.0@1" };
    const to = pinsOf(change);
    const here = facts({ lineage: { snapshot: { name: "before-v4.0.0", generation: 1, again: 0 }, quarantine: null } });
    expect(plan(to, { from: asJsonb(to) as Pins, databases: { pfa: here } })).toMatchObject({
      changes: [],
      stop: [],
      closeGate: false,
      scope: null,
    });
  });
});

describe("stop order", () => {
  it("is the system's; what it does not name stops last", () => {
    expect(ordered({ ...definition, stopOrder: ["worker"] })).toEqual(["worker", "backend", "frontend"]);
    expect(plan(afterScope("quick"), { definition: { ...definition, stopOrder: ["backend"] } }).stop).toEqual(["backend", "worker"]);
  });

  it("only what changes stops, unless the data is touched: then everything that writes to it", () => {
    expect(plan(pinsOf({ services: { worker: { config: { LIMIT: "2" } } } })).stop).toEqual(["worker"]);
    expect(plan(pinsOf({ data: "before-v4.0.0@1" })).stop).toEqual(["worker", "backend"]);
    expect(plan(pinsOf({ backups: { snapshots: ["audit"] } })).stop).toEqual(["worker", "backend"]);
  });

  it("a service without a listener of its own keeps users out too, where a site's path leads to it", () => {
    const listeners = { frontend: definition.listeners["frontend"]! };
    expect(plan(afterScope("backend"), { definition: { ...definition, listeners } }).closeGate).toBe(true);
  });

  it("another artefact of the same release is a change", () => {
    const { releases } = configOf();
    const rebuilt = structuredClone(releases);
    rebuilt["v4.0.0"]!.services["backend"]!.sha256 = "0f".repeat(32);
    expect(plan(pinsOf({ releases: rebuilt }))).toMatchObject({
      stop: ["backend"],
      changes: [{ service: "backend", what: "another artefact of v4.0.0" }],
    });
  });
});

describe("deploying", () => {
  const forward = { from: recorded({ release: "v3.0.0" }), databases: { pfa: facts({ applied: MIGRATIONS.slice(0, 2) }) }, snapshots: [] };

  it("a newer release takes its snapshot inside the fence and applies what is missing, oldest first", () => {
    const planned = plan(pinsOf(), forward);
    expect(planned).toMatchObject({
      forward: true,
      scope: null,
      stop: ["worker", "backend"],
      fenceData: true,
      closeGate: true,
      take: [{ name: "before-v4.0.0", automatic: true }],
    });
    expect(planned.databases["pfa"]).toEqual({ ...none, up: [SYNC] });
    expect(plan(pinsOf(), { ...forward, databases: { pfa: facts({ applied: [] }) } }).databases["pfa"]!.up).toEqual(MIGRATIONS);
  });

  it("a half-applied migration is applied again on the way forward, and taken back on the way back", () => {
    const half = facts({ applied: MIGRATIONS.slice(0, 2), failed: [SYNC] });
    expect(plan(pinsOf(), { ...forward, databases: { pfa: half } }).databases["pfa"]!.up).toEqual([SYNC]);
    expect(plan(pinsOf({ release: "v3.0.0", schema: "down" }), { databases: { pfa: half } }).databases["pfa"]).toMatchObject({
      back: [SYNC],
      backBy: "down",
    });
  });

  it("the first deployment makes the database, stops nothing and keeps users out until it is verified", () => {
    const first = plan(pinsOf(), { from: null, databases: { pfa: facts({ exists: false, applied: [] }) }, snapshots: [] });
    expect(first).toMatchObject({ forward: true, fromRelease: null, stop: [], take: [], closeGate: true, maintenanceChanged: true });
    expect(first.databases["pfa"]).toEqual({ ...none, action: { kind: "create" }, up: MIGRATIONS });
    expect(first.changes.map(({ what }) => what)).toEqual(["new at v4.0.0", "new at v4.0.0", "new at v4.0.0"]);
    expect(plan(pinsOf({ services: { worker: { run: "off" } } }), { from: null, databases: {}, snapshots: [] }).changes[0]!.what).toBe(
      "new at v4.0.0, off",
    );
  });

  it("no snapshot is taken before data that is put aside anyway", () => {
    expect(plan(pinsOf({ data: `quarantine:${QUARANTINE}` }), forward).take).toEqual([]);
  });

  it.each([
    ["phase-3.1.0-rc.1", "phase-3.1.0"],
    ["v4.0.0+build.7", "v4.0.0"],
    ["v4.0.0", "v4.0.0-hotfix1"],
    ["v4.0.0", "2026.10"],
    ["v4.0.0", "123"],
    ["v3.0.0", "2f9c1d0"],
    ["2f9c1d0", "abc1234"],
    ["main-120", "main-99"],
  ])("%s → %s is forward where the ledger says so, whatever the names look like", (older, newer) => {
    const release = (name: string): Pins => ({ ...recorded({ release: "v3.0.0" }), release: name });
    const at = { from: release(older), databases: { pfa: facts({ applied: MIGRATIONS.slice(0, 2) }) }, snapshots: [] };
    const order = [older, newer];
    expect(plan(release(newer), { ...at, order })).toMatchObject({ forward: true, take: [{ name: `before-${newer}`, automatic: true }] });
    expect(plan(release(older), { ...at, from: release(newer), order })).toMatchObject({ forward: false, take: [] });
  });

  it("a snapshot comes first whenever migrations will run on data that is there, whichever way the release goes", () => {
    const behind = { databases: { pfa: facts({ applied: MIGRATIONS.slice(0, 2) }) } };
    // A rollback restored the data and failed in its verification; then the newer release is pinned again.
    const again = plan(pinsOf(), { ...behind, unfinished: true, begun: "v3.0.0" });
    expect(again).toMatchObject({ forward: false, fromRelease: "v4.0.0", begun: "v3.0.0", take: [{ name: "before-v4.0.0" }] });
    // One service apart at the newer release.
    const apart = pinsOf({ release: "v3.0.0", services: { frontend: { release: "v4.0.0" } } });
    expect(plan(apart, { ...behind, from: recorded({ release: "v3.0.0" }) }).take).toEqual([{ name: "before-v3.0.0", automatic: true }]);
    // Data that was there before backout was.
    expect(plan(pinsOf(), { ...behind, from: null, snapshots: [] }).take).toEqual([{ name: "before-v4.0.0", automatic: true }]);
  });
});

describe("the schema on the way back", () => {
  const back = (schema: string, change = {}) => plan(pinsOf({ release: "v3.0.0", schema, ...change }));

  it("keep touches nothing; mark and down fence the data; down takes a snapshot first, for it changes data in place", () => {
    expect(back("keep")).toMatchObject({ fenceData: false, take: [] });
    expect(back("mark")).toMatchObject({ fenceData: true, take: [] });
    expect(back("down")).toMatchObject({ fenceData: true, take: [{ name: "before-down-v3.0.0", automatic: true }] });
  });

  it("newest first, and nothing the release needs", () => {
    const { releases } = configOf();
    const ledger = { ...releases, "v1.0.0": { ...releases["v3.0.0"], schema: { pfa: MIGRATIONS[0] } } };
    expect(plan(pinsOf({ release: "v1.0.0", schema: "down", releases: ledger })).databases["pfa"]!.back).toEqual([SYNC, FORECAST]);
  });

  it("policy changed afterwards, on the same release", () => {
    const planned = plan(pinsOf({ release: "v3.0.0", schema: "down" }), { from: recorded({ release: "v3.0.0" }) });
    expect(planned).toMatchObject({ forward: false, fenceData: true, stop: ["worker", "backend"] });
    expect(planned.databases["pfa"]!.back).toEqual([SYNC]);
  });

  it("a release that names no migration asks nothing of the schema", () => {
    const { releases } = configOf();
    const ledger = { ...releases, "v3.0.0": { ...releases["v3.0.0"], schema: {} } };
    for (const schema of ["keep", "mark", "down"]) {
      const planned = plan(pinsOf({ release: "v3.0.0", schema, releases: ledger }));
      expect(planned.databases["pfa"]).toMatchObject({ up: [], back: [] });
      expect(planned).toMatchObject({ fenceData: false, take: [] });
    }
  });

  it("restored data brings its own schema", () => {
    expect(plan(pinsOf({ release: "v3.0.0", schema: "down", data: "before-v4.0.0@1" })).databases["pfa"]).toMatchObject({
      action: { kind: "restore" },
      up: [],
      back: [],
    });
  });
});

describe("data pins", () => {
  const descends = (again = 0, quarantine: string | null = null) =>
    facts({ lineage: { snapshot: { name: "before-v4.0.0", generation: 1, again }, quarantine } });
  const action = (data: unknown, here = facts(), snapshots = [SNAPSHOT]) =>
    plan(pinsOf({ data }), { databases: { pfa: here }, snapshots }).databases["pfa"]!.action;
  const restore = { kind: "restore", snapshot: "before-v4.0.0", generation: 1, again: 0 };

  it("a snapshot is restored when the data does not descend from it, and only then", () => {
    expect(action("before-v4.0.0@1")).toEqual(restore);
    expect(action("before-v4.0.0@1", descends())).toEqual({ kind: "none" });
  });

  it("a name alone stands for its only generation", () => {
    expect(action("before-v4.0.0")).toEqual(restore);
    expect(action("before-v4.0.0", descends())).toEqual({ kind: "none" });
  });

  it("a snapshot that is pinned anew and restored already is said to be: `again` restores it once more", () => {
    const pinned = (from: unknown) =>
      plan(pinsOf({ data: "before-v4.0.0@1" }), { from: recorded({ data: from }), databases: { pfa: descends(1) } }).databases["pfa"]!
        .descends;
    expect(action({ snapshot: "before-v4.0.0@1", again: 1 }, descends(1))).toEqual({ kind: "none" });
    expect(pinned("current")).toBeUndefined();
    const said = (from: unknown) =>
      plan(pinsOf({ data: "before-v4.0.0@1" }), { from: recorded({ data: from }), databases: { pfa: descends() } }).databases["pfa"]!
        .descends;
    expect(said("current")).toEqual({ name: "before-v4.0.0", generation: 1, again: 0 });
    expect(said("before-v4.0.0@1")).toBeUndefined();
  });

  it("the same snapshot again", () => {
    expect(action({ snapshot: "before-v4.0.0@1", again: 1 }, descends())).toEqual({ ...restore, again: 1 });
    expect(action({ snapshot: "before-v4.0.0@1", again: 1 }, descends(1))).toEqual({ kind: "none" });
    expect(action({ snapshot: "before-v4.0.0@1", again: 2 }, descends(1))).toEqual({ ...restore, again: 2 });
  });

  it("a quarantined database comes back once, and may be left again", () => {
    expect(action(`quarantine:${QUARANTINE}`, descends())).toEqual({ kind: "undo", quarantine: QUARANTINE });
    expect(action(`quarantine:${QUARANTINE}`, descends(0, QUARANTINE))).toEqual({ kind: "none" });
    expect(action("before-v4.0.0@1", descends(0, QUARANTINE))).toEqual(restore);
  });

  it("current asks for nothing, whatever is there; a database that is not there is made", () => {
    for (const here of [facts(), descends(), descends(0, QUARANTINE)]) expect(action("current", here)).toEqual({ kind: "none" });
    expect(action("current", facts({ exists: false }))).toEqual({ kind: "create" });
  });

  it("an unknown snapshot and an ambiguous name are refused, telling what there is", () => {
    const two = [SNAPSHOT, { ...SNAPSHOT, generation: 2 }, { database: "other", name: "before-v5.0.0", generation: 1 }];
    expect(() => action("before-v4.0.0", facts(), two)).toThrow(SnapshotPinError);
    expect(() => action("before-v4.0.0", facts(), two)).toThrow(
      /"before-v4\.0\.0" is ambiguous: before-v4\.0\.0@1, before-v4\.0\.0@2 exist; pin one/,
    );
    expect(() => action("before-v4.0.0@3", facts(), two)).toThrow(
      /snapshot of pfa not found; existing ones: before-v4\.0\.0@1, before-v4\.0\.0@2$/,
    );
    expect(() => action("before-v5.0.0", facts(), two)).toThrow(/snapshot of pfa not found/);
    expect(() => action("weekly", facts(), [])).toThrow(/none exists/);
    expect(resolveSnapshot("pfa", parseDataPin("before-v4.0.0@2") as never, two)).toMatchObject({ generation: 2 });
  });
});

describe("snapshots to take", () => {
  it("declared ones that are missing, of any database", () => {
    expect(plan(pinsOf({ backups: { snapshots: ["audit", "before-v4.0.0"] } })).take).toEqual([{ name: "audit", automatic: false }]);
    expect(
      plan(pinsOf({ backups: { snapshots: ["audit"] } }), { snapshots: [{ database: "pfa", name: "audit", generation: 1 }] }),
    ).toMatchObject({ take: [], fenceData: false });
  });

  it("none of a database that is still to be made", () => {
    expect(
      plan(pinsOf({ backups: { snapshots: ["audit"] } }), { from: null, databases: { pfa: facts({ exists: false }) }, snapshots: [] }).take,
    ).toEqual([]);
  });
});

describe("after a rollout that did not open", () => {
  it.each<[string, Pins]>([
    ["the pins of before", pinsOf()],
    ["the same rollback", afterScope("frontend")],
    ["another one", afterScope("worker")],
  ])("everything stops and users are kept out: %s", (_pins, to) => {
    expect(plan(to, { unfinished: true })).toMatchObject({ stop: ["worker", "backend"], fenceData: true, closeGate: true });
  });

  it("also where nothing ever opened", () => {
    expect(plan(pinsOf(), { from: null, unfinished: true })).toMatchObject({
      stop: ["worker", "backend"],
      fenceData: true,
      closeGate: true,
    });
  });
});

describe("whatever is pinned", () => {
  const change = fc.record(
    {
      release: fc.constantFrom("v3.0.0", "v4.0.0"),
      services: fc.dictionary(
        fc.constantFrom("worker", "backend", "frontend"),
        fc.record(
          { release: fc.constantFrom("v3.0.0", "v4.0.0"), run: fc.constantFrom("on", "off"), config: fc.constantFrom({}, { LIMIT: "1" }) },
          { requiredKeys: [] },
        ),
      ),
      data: fc.constantFrom("current", "before-v4.0.0@1", { snapshot: "before-v4.0.0@1", again: 1 }, `quarantine:${QUARANTINE}`),
      schema: fc.constantFrom("keep", "mark", "down"),
      maintenance: fc.constantFrom("off", "read-only", "full"),
      flags: fc.dictionary(fc.constantFrom("sync", "other"), fc.boolean()),
      backups: fc.constantFrom({}, { snapshots: ["audit"] }),
    },
    { requiredKeys: [] },
  );
  const here = fc.record({
    exists: fc.boolean(),
    lineage: fc.record({
      snapshot: fc.constantFrom(null, { name: "before-v4.0.0", generation: 1, again: 0 }),
      quarantine: fc.constantFrom(null, QUARANTINE),
    }),
    applied: fc.integer({ min: 0, max: 3 }).map((count) => MIGRATIONS.slice(0, count)),
    failed: fc.subarray([SYNC]),
  });
  const order = ["v3.0.0", "v4.0.0"];
  const rollout = fc.tuple(fc.option(change), change, here, fc.boolean()).map(([before, after, pfa, unfinished]) => {
    const from = before === null ? null : recorded(before);
    const to = pinsOf(after);
    return {
      from,
      to,
      pfa,
      planned: planRollout({ definition, from, to, unfinished, order, scope: null, databases: { pfa }, snapshots: [SNAPSHOT] }),
    };
  });
  const always = (holds: (made: ReturnType<typeof plan>, all: { from: Pins | null; to: Pins; pfa: ReturnType<typeof facts> }) => void) =>
    fc.assert(
      fc.property(rollout, ({ planned, ...all }) => holds(planned, all)),
      { numRuns: 300 },
    );

  it("a rollout that touches data fences it, closes the gate and stops everything that writes to it", () => {
    always((planned, { from }) => {
      const { action, up, back, backBy } = planned.databases["pfa"]!;
      const touches = action.kind !== "none" || up.length > 0 || (back.length > 0 && backBy !== "keep") || planned.take.length > 0;
      if (!touches) return;
      expect(planned).toMatchObject({ fenceData: true, closeGate: true });
      if (from !== null) expect(planned.stop).toEqual(expect.arrayContaining(["worker", "backend"]));
    });
  });

  it("what stops is in the system's order, once, and never a folder of files", () => {
    always(({ stop }) => {
      expect(["worker", "backend"].filter((name) => stop.includes(name))).toEqual(stop);
    });
  });

  it("users are kept out while anything that answers them is down", () => {
    always(({ stop, closeGate }) => {
      if (stop.includes("backend")) expect(closeGate).toBe(true);
    });
  });

  it("nothing is applied and taken back at once, and nothing is applied twice", () => {
    always((planned, { pfa }) => {
      const { up, back, action } = planned.databases["pfa"]!;
      expect(up.filter((name) => back.includes(name))).toEqual([]);
      if (action.kind === "none") expect(up.filter((name) => pfa.applied.includes(name))).toEqual([]);
      expect([...up].sort()).toEqual(up);
      expect([...back].sort().reverse()).toEqual(back);
    });
  });

  it("planned again when it is done, there is nothing left to do", () => {
    always((planned, { to, pfa }) => {
      const { action, up, back, backBy } = planned.databases["pfa"]!;
      const before =
        action.kind === "none" ? pfa : { ...pfa, exists: true, applied: action.kind === "create" ? [] : MIGRATIONS, failed: [] };
      const lineage =
        action.kind === "restore"
          ? { snapshot: { name: action.snapshot, generation: action.generation, again: action.again }, quarantine: null }
          : action.kind === "undo"
            ? { snapshot: null, quarantine: action.quarantine }
            : before.lineage;
      const gone = backBy === "keep" ? [] : back;
      const done = {
        exists: true,
        lineage,
        applied: [...before.applied, ...up].filter((name) => !gone.includes(name)),
        failed: before.failed.filter((name) => !up.includes(name) && !gone.includes(name)),
      };
      // On the way forward nothing is taken back, whatever the policy.
      if (planned.forward && backBy !== "keep") return;
      if (action.kind === "restore" || action.kind === "undo" || (action.kind === "create" && to.data["pfa"]!.kind !== "current")) return;
      const again = planRollout({
        definition,
        from: asJsonb(to) as Pins,
        to,
        unfinished: false,
        order,
        scope: null,
        databases: { pfa: done },
        snapshots: [SNAPSHOT, { ...SNAPSHOT, name: "audit" }],
      });
      expect(again).toMatchObject({ changes: [], stop: [], fenceData: false, closeGate: false, take: [] });
    });
  });

  it("a change of the frontend alone stops nothing and keeps nobody out", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("v3.0.0", "v4.0.0"),
        fc.constantFrom("v3.0.0", "v4.0.0"),
        fc.constantFrom({}, { THEME: "dark" }),
        (before, after, config) => {
          const planned = plan(pinsOf({ services: { frontend: { release: after, config } } }), {
            from: recorded({ services: { frontend: { release: before } } }),
          });
          expect(planned).toMatchObject({ stop: [], closeGate: false, fenceData: false });
        },
      ),
    );
  });
});
