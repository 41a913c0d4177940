import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CatalogueDatabase, DatabaseRole, Snapshot } from "../../control/record.ts";
import { beyondRetention } from "../../crossing/retention.ts";

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

const from = (name: string) => ({ snapshot: { name, generation: 1, again: 0 }, quarantine: null });
const names = (
  keep: { keep: number; quarantines: number },
  snapshots: Snapshot[],
  catalogue: CatalogueDatabase[] = [],
  pinned: string[] = [],
  epoch = 99,
) => {
  const beyond = beyondRetention(snapshots, catalogue, { snapshots: [], ...keep }, pinned, epoch);
  return { snapshots: beyond.snapshots.map(({ name }) => name), databases: beyond.databases.map(({ name }) => name) };
};

describe("what may be dropped", () => {
  it("the oldest automatic snapshots beyond the number, with their armed copies", () => {
    const armed = [entry(11, "armed", { snapshotId: 1 }), entry(13, "armed", { snapshotId: 3 })];
    expect(
      names(
        { keep: 2, quarantines: 1 },
        [1, 2, 3].map((id) => snapshot(id)),
        armed,
      ),
    ).toEqual({ snapshots: ["before-v1"], databases: ["pfa_armed_11"] });
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

  it("never what this very crossing set aside", () => {
    expect(
      names({ keep: 1, quarantines: 1 }, [], [entry(1, "quarantine", { epoch: 7 }), entry(2, "quarantine", { epoch: 7 })], [], 7).databases,
    ).toEqual([]);
  });

  it("each database for itself", () => {
    expect(names({ keep: 1, quarantines: 1 }, [snapshot(1), snapshot(2, { database: "audit" })]).snapshots).toEqual([]);
  });

  it("never the last good one, whatever there is", () => {
    const snapshots = fc.array(fc.record({ database: fc.constantFrom("pfa", "audit"), automatic: fc.boolean() }), { maxLength: 8 });
    const entries = fc.array(
      fc.record({
        database: fc.constantFrom("pfa", "audit"),
        role: fc.constantFrom<DatabaseRole>("live", "quarantine", "armed", "pristine"),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(snapshots, entries, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), (some, others, keep, quarantines) => {
        const all = some.map((one, index) => snapshot(index + 1, one));
        const catalogue = others.map((one, index) =>
          entry(index + 1, one.role, { ...one, snapshotId: one.role === "armed" ? index + 1 : null }),
        );
        const beyond = beyondRetention(all, catalogue, { keep, quarantines, snapshots: [] }, [], 99);
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
