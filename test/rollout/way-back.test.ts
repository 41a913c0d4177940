/** Where a way back leads, by the record of what opened. */
import { describe, expect, it } from "vitest";
import type { Opening } from "../../config/record.ts";
import { releaseBefore, settingsBefore, snapshotLeft } from "../../rollout/way-back.ts";
import { recorded } from "./sample.ts";

const opening = (epoch: number, release: string, quarantine?: string): Opening => {
  const data = quarantine === undefined ? {} : { shop: { kind: "quarantine", name: quarantine } };
  return { epoch, pins: { release, services: {}, data } as unknown as Opening["pins"] };
};
const record = (...releases: string[]) => releases.map((release, index) => opening(index + 1, release));
const ORDER = ["phase-3.0.0", "phase-3.1.0-rc.1", "phase-3.1.0", "2f9c1d0", "abc1234"];

describe("the release that is gone back to", () => {
  it.each<[string, string[], string, string[], string | null]>([
    ["the one that opened last before", ["phase-3.0.0", "phase-3.1.0-rc.1", "phase-3.1.0"], "phase-3.1.0", [], "phase-3.1.0-rc.1"],
    ["not one of the ledger that never opened", ["phase-3.0.0", "phase-3.1.0"], "phase-3.1.0", [], "phase-3.0.0"],
    ["not a newer one", ["phase-3.0.0", "phase-3.1.0", "2f9c1d0", "phase-3.1.0"], "phase-3.1.0", [], "phase-3.0.0"],
    ["never a blocked one", ["phase-3.0.0", "phase-3.1.0", "2f9c1d0"], "2f9c1d0", ["phase-3.1.0"], "phase-3.0.0"],
    ["of a release that never opened, what did", ["phase-3.0.0", "phase-3.1.0"], "abc1234", [], "phase-3.1.0"],
    ["by the ledger where the record says nothing", ["2f9c1d0"], "2f9c1d0", [], "phase-3.1.0"],
    ["by the ledger, not a blocked one", [], "2f9c1d0", ["phase-3.1.0"], "phase-3.1.0-rc.1"],
    ["none before the first", ["phase-3.0.0"], "phase-3.0.0", [], null],
  ])("%s", (_what, opened, current, blocked, goal) => {
    expect(releaseBefore(record(...opened), ORDER, current, blocked)).toBe(goal);
  });
});

describe("the snapshot that is gone back to", () => {
  const snapshot = (name: string, epoch: number, automatic = true) => ({ name, epoch, automatic, database: "shop" });
  it("belongs to the rollout in which the goal was left, not to an earlier one of the same name", () => {
    const opened = record("v3", "v4", "v3", "rc", "v4");
    const snapshots = [snapshot("before-v4", 2), snapshot("before-rc", 4), snapshot("before-v4 again", 5), snapshot("nightly", 5, false)];
    expect(snapshotLeft(opened, snapshots, "rc")?.name).toBe("before-v4 again");
    expect(snapshotLeft(opened, snapshots, "v3")?.name).toBe("before-rc");
    expect(snapshotLeft(opened, [snapshot("before-v4", 2)], "rc")).toBeNull();
  });

  it("of attempts that failed before one opened, the first found the data as it was left", () => {
    const opened = [opening(1, "v3"), opening(4, "v4")];
    expect(snapshotLeft(opened, [snapshot("first", 2), snapshot("second", 3), snapshot("third", 4)], "v3")?.name).toBe("first");
    expect(snapshotLeft([opening(1, "v3")], [snapshot("of an attempt", 2)], "v3")?.name).toBe("of an attempt");
    // Deployments that were taken back belong to nobody.
    const back = [opening(1, "v3"), opening(3, "v3"), opening(4, "v4")];
    expect(snapshotLeft(back, [snapshot("failed", 2), snapshot("good", 4)], "v3")?.name).toBe("good");
  });

  it("after an undo, the one of before the rollback that it undid, also where that is undone in turn and other settings open", () => {
    const snapshots = [snapshot("before-v2", 4)];
    const rolledBack = [opening(1, "v1"), opening(3, "v1"), opening(4, "v2"), opening(5, "v1")];
    const undone = [...rolledBack, opening(6, "v2", "shop_quarantine_5")];
    expect(snapshotLeft(undone, snapshots, "v1")?.name).toBe("before-v2");
    expect(snapshotLeft([...undone, opening(7, "v2", "shop_quarantine_5")], snapshots, "v1")?.name).toBe("before-v2");
    const again = [...undone, opening(7, "v1", "shop_quarantine_6"), opening(8, "v2", "shop_quarantine_7")];
    expect(snapshotLeft(again, snapshots, "v1")?.name).toBe("before-v2");
    const deployed = [...undone, opening(8, "v3")];
    expect(snapshotLeft(deployed, [...snapshots, snapshot("before-v3", 8)], "v2")?.name).toBe("before-v3");
    // What v1 was left with by the undo is in quarantine, and is no snapshot.
    expect(snapshotLeft(rolledBack, snapshots, "v1")).toBeNull();
  });

  it("none of what was never left", () => {
    expect(snapshotLeft(record("v3"), [], "v3")).toBeNull();
    expect(snapshotLeft(record("v3"), [snapshot("before-v3", 1)], "v2")).toBeNull();
  });
});

describe("settings of before", () => {
  const with_ = (release: string, config: Record<string, string>) => {
    const pins = recorded({ release });
    return { ...pins, services: { ...pins.services, backend: { ...pins.services["backend"]!, config } } };
  };
  const opened = [
    with_("v3.0.0", { POOL: "8" }),
    with_("v4.0.0", { POOL: "8", MUTED: "all" }),
    with_("v4.0.0", { POOL: "1", MUTED: "all" }),
  ];
  const openings = opened.map((pins, index) => ({ epoch: index + 1, pins }));
  const before = (count: number, goal: string, config: "ledger" | readonly string[] = "ledger") =>
    settingsBefore(openings.slice(0, count), opened[count - 1]!, goal, { backend: { config } })?.["backend"];

  it("where the release stays, those of before they last changed: also what the release itself brought goes", () => {
    expect(before(3, "v4.0.0")).toEqual({ POOL: "8", MUTED: "all" });
    expect(before(2, "v4.0.0")).toEqual({ POOL: "8" });
    expect(before(3, "v4.0.0", ["MUTED"])).toEqual({ POOL: "8" });
    expect(before(1, "v3.0.0")).toBeUndefined();
  });

  it("where the release goes back, those it had last; none where it never opened", () => {
    expect(before(3, "v3.0.0")).toEqual({ POOL: "8" });
    expect(settingsBefore(openings, opened[2]!, "v2.0.0", { backend: { config: "ledger" } })).toBeNull();
  });
});
