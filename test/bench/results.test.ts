import { describe, expect, it } from "vitest";
import { claims, median, resultOf, table, type Measured } from "../../bench/results.ts";

const standby: Measured = {
  name: "restore-standby",
  rows: 100_000,
  against: "by hand",
  ours: [0.4, 0.2, 0.3],
  peer: [0.9, 0.6, 0.5],
  cutOverMs: [40, 99, 41],
};

describe("median", () => {
  it("refuses to make one of nothing", () => {
    expect(() => median([])).toThrow(RangeError);
  });
  it("is not moved by one value that is far off", () => {
    expect(median([9_000, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
  it("leaves the values in their order", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe("a result", () => {
  it("has no peer and no ratio where the peer cannot run, and says why", () => {
    const result = resultOf({ ...standby, peer: [], peerMissing: "pg_restore is not installed" });
    expect(result).toMatchObject({ peer: null, ratio: null, peerMissing: "pg_restore is not installed" });
    expect(table([result])).toContain("not measured: pg_restore is not installed");
  });
  it("is ours against the peer's, by medians, with every sample", () => {
    expect(resultOf(standby)).toMatchObject({
      ours: 0.3,
      peer: 0.6,
      unit: "seconds",
      ratio: 0.5,
      cutOverMs: 41,
      samples: { ours: [0.4, 0.2, 0.3], peer: [0.9, 0.6, 0.5] },
    });
  });
  it("is nothing where nothing was measured", () => {
    expect(() => resultOf({ ...standby, ours: [] })).toThrow(RangeError);
  });
});

describe("claims", () => {
  const updates = (rollback: number, noop: number, empty: number) => [
    resultOf({ name: "rollback-up", rows: 1, against: "no-op", ours: [rollback], peer: [noop] }),
    resultOf({ name: "noop-up", rows: 1, against: "empty", ours: [noop], peer: [empty] }),
  ];
  it("do not hold where a target is missed", () => {
    const slow = resultOf({ ...standby, rows: 5_000_000, cutOverMs: [100, 101, 102] });
    expect(claims([resultOf(standby), slow, ...updates(6.1, 4, 2.9)]).map(({ holds }) => holds)).toEqual([false, false, false]);
    expect(table([slow])).toContain("DOES NOT HOLD");
  });
  it("hold where every size is within it", () => {
    expect(claims([resultOf(standby), ...updates(5.9, 4, 3.1)]).map(({ holds }) => holds)).toEqual([true, true, true]);
  });
  it("compare what was measured one right after the other: a machine that slows down from turn to turn is no slower update", () => {
    const drifting: Measured = { name: "rollback-up", rows: 1, against: "no-op", ours: [3.9, 5.9, 9.5], peer: [2, 4, 7.4] };
    expect(claims([resultOf(drifting)])).toEqual([
      { text: "a rollback than a no-op update at most 2 s longer: 1.9 s, the median of all turns", holds: true },
    ]);
  });
  it("are not made of what was not measured", () => {
    expect(claims([])).toEqual([]);
  });
});
