import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { estimate } from "../../rollout/estimate.ts";
import { pinsOf } from "../config/sample.ts";
import { afterScope, plan } from "./sample.ts";

const restore = plan(afterScope("restore"));
const GB = 1_000_000_000;

describe("how long users will be kept out", () => {
  it("not at all where the gate stays open, whatever is copied meanwhile", () => {
    for (const scope of ["frontend", "worker"])
      expect(estimate({ plan: plan(afterScope(scope)), earlierSeconds: [9], toCopyBytes: 100 * GB })).toEqual({
        seconds: 0,
        basis: "users are not kept out",
      });
  });

  it("the median of the last five like it: one that hung does not count for much", () => {
    expect(estimate({ plan: restore, earlierSeconds: [3, 2, 600], toCopyBytes: 0 })).toEqual({
      seconds: 3,
      basis: "median of the last 3 like it",
    });
    expect(estimate({ plan: restore, earlierSeconds: [1, 1, 1, 1, 1, 600, 600, 600, 600, 600, 600], toCopyBytes: 0 }).seconds).toBe(1);
  });

  it("as long as drills of it took, where there was none yet", () => {
    expect(estimate({ plan: restore, earlierSeconds: [], rehearsedSeconds: [4, 2, 3], toCopyBytes: 0 })).toEqual({
      seconds: 3,
      basis: "median of the last 3 drills of it",
    });
    expect(estimate({ plan: restore, earlierSeconds: [9], rehearsedSeconds: [4, 2, 3], toCopyBytes: 0 })).toEqual({
      seconds: 9,
      basis: "median of the last 1 like it",
    });
  });

  it("plus what has to be copied now", () => {
    const copying = estimate({ plan: restore, earlierSeconds: [3], toCopyBytes: 10 * GB });
    expect(copying).toEqual({ seconds: 53, basis: "median of the last 1 like it, plus the copy" });
  });

  it("plus the rows that are put back before users are let in", () => {
    const putting = { plan: restore, toCopyBytes: 0, toPutBackRows: 20_000 };
    expect(estimate({ ...putting, earlierSeconds: [3] })).toEqual({
      seconds: 7,
      basis: "median of the last 1 like it, plus the rows that are put back",
    });
    expect(estimate({ ...putting, earlierSeconds: [] }).basis).toMatch(/, plus the rows that are put back$/);
    expect(estimate({ ...putting, toPutBackRows: 100, earlierSeconds: [3] }).basis).toBe("median of the last 1 like it");
  });

  it("without experience, from what stops and what is copied, and it says so", () => {
    const first = estimate({ plan: restore, earlierSeconds: [], toCopyBytes: 0 });
    expect(first.basis).toContain("no earlier one like it");
    expect(first.seconds).toBeGreaterThan(0);
    expect(estimate({ plan: plan(pinsOf({ data: "before-v4.0.0@1" })), earlierSeconds: [], toCopyBytes: 2 * GB }).seconds).toBeCloseTo(
      first.seconds + 10,
      1,
    );
  });

  it("more to copy never takes less, and what was given is left as it was", () => {
    const times = fc.array(fc.double({ min: 0.1, max: 1000, noNaN: true }), { maxLength: 8 });
    fc.assert(
      fc.property(times, fc.nat(1e12), fc.nat(1e12), (earlierSeconds, a, b) => {
        const given = [...earlierSeconds];
        const [less, more] = [Math.min(a, b), Math.max(a, b)].map(
          (toCopyBytes) => estimate({ plan: restore, earlierSeconds, toCopyBytes }).seconds,
        );
        expect(earlierSeconds).toEqual(given);
        expect(less).toBeLessThanOrEqual(more!);
        expect(less).toBeGreaterThan(0);
      }),
    );
  });
});
