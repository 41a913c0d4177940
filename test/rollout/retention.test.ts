// Longer than 300 lines: all of retention's rules are about the same small catalogue.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CatalogueDatabase, DatabaseRole, Opening, Snapshot } from "../../config/record.ts";
import { commandOf } from "../../config/commands.ts";
import { exportFolder } from "../../config/site.ts";
import { neverWritten, onlyCopies, onlyCopyWords } from "../../rollout/only-copy.ts";
import type { DataAction, Lineage } from "../../config/plan.ts";
import { applyRetention, beyondRetention, type RetentionFacts } from "../../rollout/retention.ts";
import type { Run } from "../../config/run.ts";
import { releaseBefore, snapshotLeft } from "../../rollout/way-back.ts";

function snapshot(id: number, change: Partial<Snapshot> = {}): Snapshot {
  return {
    id,
    database: "pfa",
    name: `before-v${id}`,
    generation: 1,
    driver: "template",
    location: `pfa_before_v${id}_1`,
    takenAt: new Date(id * 1000).toISOString(),
    epoch: id,
    release: `v${id - 1}`,
    automatic: true,
    state: "ready",
    manifest: null,
    statistics: null,
    baseline: null,
    sizeBytes: 1,
    ...change,
  };
}

function entry(oid: number, role: DatabaseRole, change: Partial<CatalogueDatabase> = {}): CatalogueDatabase {
  return {
    oid,
    name: `pfa_${role}_${oid}`,
    database: "pfa",
    role,
    lineage: { snapshot: null, quarantine: null },
    snapshotId: null,
    epoch: oid,
    createdAt: new Date(oid * 1000).toISOString(),
    verified: null,
    ...change,
  };
}

const opening = (epoch: number, release: string): Opening => ({ epoch, pins: { release, data: {} } as unknown as Opening["pins"] });
const from = (name: string) => ({ snapshot: { name, generation: 1, again: 0 }, quarantine: null });
const names = (
  keep: { keep: number; quarantines: number },
  snapshots: Snapshot[],
  catalogue: CatalogueDatabase[] = [],
  pinned: string[] = [],
  change: Partial<RetentionFacts> = {},
) => {
  const opened = [...new Set(snapshots.map(({ epoch }) => epoch))].map((epoch) => opening(epoch, `v${epoch}`));
  const keeping = { pinned, epoch: 99, opened, order: [], releases: [], unopened: [], onlyCopies: [], ...change };
  const beyond = beyondRetention(snapshots, catalogue, { snapshots: [], ...keep }, keeping);
  return { snapshots: beyond.snapshots.map(({ name }) => name), databases: beyond.databases.map(({ name }) => name) };
};

describe("what may be dropped", () => {
  it("the oldest automatic snapshots beyond the number, with their standby copies", () => {
    const standby = [entry(11, "standby", { snapshotId: 1 }), entry(13, "standby", { snapshotId: 3 })];
    expect(
      names(
        { keep: 2, quarantines: 1 },
        [1, 2, 3].map((id) => snapshot(id)),
        standby,
      ),
    ).toEqual({ snapshots: ["before-v1"], databases: ["pfa_standby_11"] });
  });

  it("the oldest quarantines beyond the number", () => {
    expect(names({ keep: 1, quarantines: 1 }, [], [entry(1, "quarantine"), entry(2, "quarantine"), entry(3, "live")]).databases).toEqual([
      "pfa_quarantine_1",
    ]);
  });

  it("never a declared snapshot", () => {
    expect(names({ keep: 1, quarantines: 1 }, [snapshot(1, { automatic: false }), snapshot(2), snapshot(3)]).snapshots).toEqual([
      "before-v2",
    ]);
  });

  it("never what a pin names", () => {
    const catalogue = [entry(1, "quarantine"), entry(2, "quarantine")];
    expect(names({ keep: 1, quarantines: 1 }, [snapshot(1), snapshot(2)], catalogue, ["before-v1@1", "pfa_quarantine_1"])).toEqual({
      snapshots: [],
      databases: [],
    });
    expect(names({ keep: 1, quarantines: 1 }, [snapshot(1), snapshot(2)], [], ["before-v1@2"]).snapshots).toEqual(["before-v1"]);
  });

  it("never the snapshot that live data, or a quarantine that stays, is measured against", () => {
    const snapshots = [1, 2, 3].map((id) => snapshot(id));
    const catalogue = [entry(1, "live", { lineage: from("before-v1") }), entry(2, "quarantine", { lineage: from("before-v2") })];
    expect(names({ keep: 1, quarantines: 1 }, snapshots, catalogue).snapshots).toEqual([]);
  });

  it("but the one of a quarantine that goes, goes with it", () => {
    const snapshots = [1, 2, 3].map((id) => snapshot(id));
    const catalogue = [entry(1, "quarantine", { lineage: from("before-v1") }), entry(2, "quarantine", { lineage: from("before-v2") })];
    expect(names({ keep: 1, quarantines: 1 }, snapshots, catalogue)).toEqual({ snapshots: ["before-v1"], databases: ["pfa_quarantine_1"] });
  });

  it("never what this very rollout set aside", () => {
    expect(
      names({ keep: 1, quarantines: 1 }, [], [entry(1, "quarantine", { epoch: 7 }), entry(2, "quarantine", { epoch: 7 })], [], { epoch: 7 })
        .databases,
    ).toEqual([]);
  });

  it("each database for itself", () => {
    expect(names({ keep: 1, quarantines: 1 }, [snapshot(1), snapshot(2, { database: "audit" })]).snapshots).toEqual([]);
  });

  it("failed deployments never evict what a release that opened was left with", () => {
    // v2 opened; v3 was tried four times, and each time v2 was opened again on the snapshot.
    const tried = [4, 6, 8, 10];
    const snapshots = [
      snapshot(2),
      ...tried.map((epoch, index) => snapshot(epoch, { name: "before-v3", generation: index + 1, release: "v2" })),
    ];
    const opened = [opening(1, "v1"), opening(2, "v2"), ...tried.map((epoch) => opening(epoch + 1, "v2"))];
    const live = [entry(1, "live", { lineage: { snapshot: { name: "before-v3", generation: 4, again: 0 }, quarantine: null } })];
    const keeping: RetentionFacts = {
      pinned: [],
      epoch: 11,
      opened,
      order: ["v1", "v2", "v3"],
      releases: ["v2"],
      unopened: [],
      onlyCopies: [],
    };
    for (const keep of [1, 3]) {
      const { snapshots: dropped } = beyondRetention(snapshots, live, { keep, quarantines: 1, snapshots: [] }, keeping);
      expect(dropped.map(({ name, generation }) => `${name}@${generation}`)).toEqual(
        [1, 2, 3].slice(0, 4 - keep).map((n) => `before-v3@${n}`),
      );
    }
    const written = [entry(3, "quarantine", { epoch: 3 }), ...tried.map((epoch) => entry(epoch, "quarantine", { epoch: epoch + 1 }))];
    const unopened = written.slice(1).map(({ name }) => name);
    const { databases } = beyondRetention([], written, { keep: 1, quarantines: 1, snapshots: [] }, { ...keeping, unopened });
    expect(databases.map(({ oid }) => oid)).toEqual([4, 6, 8]);
  });

  it("attempts of one rollout count once, and the first of them, which found the data as it was left, stays", () => {
    const snapshots = [2, 3, 4, 5].map((epoch) => snapshot(epoch, { name: "before-v2", generation: epoch - 1, release: "v1" }));
    const opened = [opening(1, "v1"), opening(5, "v2")];
    expect(names({ keep: 1, quarantines: 1 }, snapshots, [], [], { opened }).snapshots).toEqual([]);
  });

  it("never what a pinned release, or the one before it, goes back to", () => {
    const order = ["v1", "v2", "v3", "v4", "v5", "v6"];
    const opened = [1, 2, 3, 4, 5, 6].map((epoch) => opening(epoch, `v${epoch}`));
    const snapshots = [2, 3, 4, 5, 6].map((epoch) => snapshot(epoch));
    const dropped = (...releases: string[]) => names({ keep: 1, quarantines: 1 }, snapshots, [], [], { opened, order, releases }).snapshots;
    expect(dropped("v6")).toEqual(["before-v2", "before-v3", "before-v4"]);
    expect(dropped("v6", "v4")).toEqual(["before-v2"]);
  });

  it("whatever was deployed, failed and taken back: the way back of what runs, and of what ran before it, stays", () => {
    const step = fc.record({ release: fc.constantFrom("v1", "v2", "v3", "v4", "v5"), opens: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), fc.integer({ min: 1, max: 3 }), (steps, keep) => {
        const order = ["v1", "v2", "v3", "v4", "v5"];
        const opened = [opening(1, "v1")];
        let snapshots: Snapshot[] = [];
        steps.forEach(({ release, opens }, index) => {
          const epoch = index + 2;
          const running = opened.at(-1)!.pins.release;
          const generation = snapshots.filter(({ name }) => name === `before-${release}`).length + 1;
          if (release > running) snapshots = [...snapshots, snapshot(epoch, { name: `before-${release}`, generation, release: running })];
          if (!opens) return;
          opened.push(opening(epoch, release));
          const before = releaseBefore(opened, order, release);
          const [needed, newest] = [before === null ? null : snapshotLeft(opened, snapshots, before), snapshots.at(-1)];
          const keeping = { pinned: [], epoch, opened, order, releases: [release], unopened: [], onlyCopies: [] };
          const dropped = beyondRetention(snapshots, [], { keep, quarantines: 1, snapshots: [] }, keeping).snapshots;
          expect(dropped).not.toContain(newest);
          if (needed !== null) expect(dropped).not.toContain(needed);
          // As if nothing had ever been dropped.
          snapshots = snapshots.filter((one) => !dropped.includes(one));
          if (before !== null && needed !== null) expect(snapshotLeft(opened, snapshots, before)).toBe(needed);
        });
      }),
    );
  });

  it("never the last good one, whatever there is", () => {
    const snapshots = fc.array(fc.record({ database: fc.constantFrom("pfa", "audit"), automatic: fc.boolean() }), { maxLength: 8 });
    const entries = fc.array(
      fc.record({
        database: fc.constantFrom("pfa", "audit"),
        role: fc.constantFrom<DatabaseRole>("live", "quarantine", "standby", "pristine"),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(snapshots, entries, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), (some, others, keep, quarantines) => {
        const all = some.map((one, index) => snapshot(index + 1, one));
        const catalogue = others.map((one, index) =>
          entry(index + 1, one.role, { ...one, snapshotId: one.role === "standby" ? index + 1 : null }),
        );
        const beyond = beyondRetention(
          all,
          catalogue,
          { keep, quarantines, snapshots: [] },
          {
            pinned: [],
            epoch: 99,
            opened: all.map(({ epoch }) => opening(epoch, `v${epoch}`)),
            order: [],
            releases: [],
            unopened: [],
            onlyCopies: [],
          },
        );
        for (const database of ["pfa", "audit"]) {
          const mine = all.filter((one) => one.database === database && one.automatic);
          const left = mine.filter((one) => !beyond.snapshots.includes(one));
          expect(left).toEqual(mine.slice(-keep));
          const apart = catalogue.filter((one) => one.database === database && one.role === "quarantine");
          expect(apart.filter((one) => !beyond.databases.includes(one))).toEqual(apart.slice(-quarantines));
        }
        expect(beyond.databases.filter(({ role }) => role === "live" || role === "pristine")).toEqual([]);
      }),
    );
  });
});

describe("a quarantine that holds what no export does", () => {
  let home: string;
  beforeAll(() => void (home = mkdtempSync(join(tmpdir(), "backout-retention-"))));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const catalogue = [1, 2, 3, 4, 5].map((epoch) => entry(epoch, "quarantine", { database: "pfa" }));
  const lost = { name: "docs, column data", kind: "values of", why: "too large", mayBeLost: true };

  function exported(epoch: number, manifest: unknown): void {
    const folder = exportFolder({ home }, `run-${epoch}`, "pfa");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `run-${epoch}.manifest.json`), JSON.stringify(manifest));
  }

  function running(said: string[]): Run {
    const state = {
      openings: () => Promise.resolve([]),
      catalogued: () => Promise.resolve(catalogue),
      readySnapshots: () => Promise.resolve([]),
      remainders: () => Promise.resolve([]),
      rollout: (epoch: number) =>
        Promise.resolve({
          epoch,
          runId: `run-${epoch}`,
          state: "open",
          openedAt: epoch === 3 ? null : "then",
          plan: { databases: { pfa: { action: { kind: epoch === 3 ? "create" : "none" } } } },
        }),
    };
    return {
      state,
      site: { home, project: home, stack: "prod" },
      definition: { name: "pfa", databases: {} },
      epoch: 9,
      log: (_severity: string, line: string) => void said.push(line),
    } as unknown as Run;
  }

  it("is named with what it alone holds, stays beyond the number, and goes once it is confirmed", async () => {
    exported(1, { notCompared: [lost] });
    exported(2, { notCompared: [{ ...lost, mayBeLost: false }] });
    exported(5, { notCompared: [], unreadable: { visits: "malformed" } });
    const run = running([]);
    // Of 3 there is no export; 4 was set aside before anybody was let in to it.
    expect([...(await onlyCopies(run, catalogue, await neverWritten(run.state, catalogue)))]).toEqual([
      ["pfa_quarantine_1", ["values of docs, column data"]],
      ["pfa_quarantine_3", ["there is no export of it"]],
      ["pfa_quarantine_5", ["table visits, which is damaged"]],
    ]);
    const keep = { keep: 1, quarantines: 1, snapshots: [] };
    const held = { onlyCopies: ["pfa_quarantine_1", "pfa_quarantine_3", "pfa_quarantine_5"] };
    const beyond = (drop: string[]) => names({ ...keep, drop } as typeof keep, [], catalogue, [], held).databases;
    expect(beyond([])).toEqual(["pfa_quarantine_2", "pfa_quarantine_4"]);
    expect(beyond(["pfa_quarantine_1"])).toEqual(["pfa_quarantine_1", "pfa_quarantine_2", "pfa_quarantine_4"]);
  });

  it("retention says why it stays, and what drops it", async () => {
    exported(1, { notCompared: [lost] });
    exported(5, {});
    const said: string[] = [];
    const pulumi = (words: string): string => commandOf(running([]).site.project, "pulumi", words);
    const keep = { keep: 1, quarantines: 3, snapshots: [], drop: ["other"] };
    expect(await applyRetention(running(said), keep, [], null)).toEqual([]);
    expect(said).toEqual([
      "quarantine pfa_quarantine_1 is kept beyond backups.quarantines: no export holds values of docs, column data. " +
        `To drop it for good: ${pulumi("config set --stack prod --path 'backout:backups.drop[1]' pfa_quarantine_1")} && ${pulumi("up --stack prod")}`,
    ]);
  });
});

it("what no export holds is a clause, also where there is no export", () => {
  expect(onlyCopyWords(["values of docs, column data", "table visits"])).toBe("no export holds values of docs, column data, table visits");
  expect(onlyCopyWords(["there is no export of it"])).toBe("there is no export of it");
});

describe("whether users wrote to what was set aside", () => {
  const restore: DataAction = { kind: "restore", snapshot: "before-v4", generation: 1, again: 0 };
  const older: DataAction = { ...restore, snapshot: "before-v3" };
  const undo: DataAction = { kind: "undo", quarantine: "pfa_quarantine_5" };
  const none: DataAction = { kind: "none" };
  const from = (change: Partial<Lineage> = {}): Lineage => ({ snapshot: null, quarantine: null, ...change });
  const restored = from({ snapshot: { name: "before-v4", generation: 1, again: 0 } });

  /** @param rollouts the last ones, oldest first: the one before them opened, the newest sets aside. Those that took `before-v4@1` are marked. */
  async function unwritten(lineage: Lineage, ...rollouts: { does: DataAction; took?: true; state?: string }[]): Promise<boolean> {
    const epoch = rollouts.length + 1;
    const at = (one: number) => rollouts[one - 2];
    const state = {
      rollout: (one: number) =>
        Promise.resolve(
          one < 1
            ? null
            : {
                epoch: one,
                state: at(one)?.state ?? (one === 1 ? "open" : "closed"),
                openedAt: one === 1 ? "then" : null,
                plan: { databases: { pfa: { action: at(one)?.does ?? none } } },
              },
        ),
      snapshotOfEpoch: (_database: string, name: string, one: number) =>
        Promise.resolve(name === "before-v4" && at(one)?.took === true ? snapshot(4, { name, generation: 1 }) : null),
    };
    const found = await neverWritten(state as unknown as Parameters<typeof neverWritten>[0], [entry(epoch, "quarantine", { lineage })]);
    return found.length === 1;
  }

  it("not to what a deployment that never opened made of its snapshot, nor to what was restored and never opened", async () => {
    expect(await unwritten(from(), { does: none, took: true }, { does: restore })).toBe(true);
    expect(await unwritten(from(), { does: none, took: true }, { does: none }, { does: restore })).toBe(true);
    expect(await unwritten(restored, { does: restore }, { does: older })).toBe(true);
    expect(await unwritten(from(), { does: { kind: "create" } }, { does: restore })).toBe(true);
  });

  it("they may have where a rollout that never opened had not brought it: it failed before, or did nothing to the data", async () => {
    expect(await unwritten(from(), { does: restore }, { does: older })).toBe(false);
    expect(await unwritten(from(), { does: none }, { does: restore })).toBe(false);
    // Measured against an older snapshot than the one that was taken of it.
    expect(await unwritten(from(), { does: none, took: true }, { does: older })).toBe(false);
    expect(await unwritten(from(), { does: none, took: true, state: "refused" }, { does: restore })).toBe(false);
  });

  it("they had when it was live before, also where its return never opened", async () => {
    const back = from({ quarantine: "pfa_quarantine_5" });
    expect(await unwritten(back, { does: undo }, { does: restore })).toBe(false);
    expect(await unwritten(back, { does: none, took: true }, { does: undo }, { does: restore })).toBe(false);
  });
});
