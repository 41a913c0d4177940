/** Watches: what their polls come to, what is kept of them, and by which clock they go. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RolloutPlan } from "../../../config/plan.ts";
import type { SystemDefinition, WatchDefinition, WatchLimit } from "../../../config/system/definition.ts";
import { clockSince, clockSpeed, ClockSpeedError } from "../../../rollout/verification/clock.ts";
import { addGap, addPoll, beginWatch, endWatch, recordsOf, type WatchBegin } from "../../../rollout/verification/watch-record.ts";
import { judgeWatch, measured, pollCount, type Poll } from "../../../rollout/verification/watch-rule.ts";
import { nextWatch, watchStates } from "../../../rollout/verification/watches-due.ts";

const poll = (n: number, change: Partial<Poll> = {}): Poll => ({
  n,
  at: new Date(n * 60_000).toISOString(),
  healthy: true,
  failed: [],
  figures: { requests: 100, errors: 0 },
  ...change,
});
const bad = (n: number): Poll => poll(n, { healthy: false, failed: [{ name: "health", detail: "answered 500" }] });
const polls = (count: number): Poll[] => Array.from({ length: count }, (_, index) => poll(index + 1));
const errorShare: WatchLimit = { title: "error share", figure: "errors", per: "requests", over: "sum", below: 0.005 };
const strict: WatchDefinition["pass"] = { healthyShare: 1, limits: [errorShare] };

describe("the rule", () => {
  it("15 minutes at 60 seconds are 15 polls; a watch has at least one", () => {
    expect(pollCount({ durationMinutes: 15, intervalSeconds: 60 })).toBe(15);
    expect(pollCount({ durationMinutes: 24 * 60, intervalSeconds: 300 })).toBe(288);
    expect(pollCount({ durationMinutes: 1, intervalSeconds: 600 })).toBe(1);
  });

  it("fails with the first poll that may not fail, and passes only with the last", () => {
    expect(judgeWatch(strict, polls(14), 15).state).toBe("going");
    expect(judgeWatch(strict, polls(15), 15)).toEqual({ state: "passed", reasons: [] });
    const { state, reasons } = judgeWatch(strict, [...polls(2), bad(3)], 15);
    expect(state).toBe("failed");
    expect(reasons[0]).toMatch(/1 of 3 polls failed, none may: poll 3: health \(answered 500\)/);
  });

  it("however many may fail, one more is a failure", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 100 }), (total, percent) => {
        const allowed = total - Math.ceil((percent / 100) * total - 1e-9);
        const seen = (unhealthy: number) => polls(total).map((one, index) => (index < unhealthy ? { ...one, healthy: false } : one));
        expect(judgeWatch({ healthyShare: percent / 100, limits: [] }, seen(allowed), total).state).toBe("passed");
        if (allowed < total) expect(judgeWatch({ healthyShare: percent / 100, limits: [] }, seen(allowed + 1), total).state).toBe("failed");
      }),
    );
  });

  it("a share is one of all that was asked, not a mean of shares", () => {
    const seen = [poll(1, { figures: { requests: 1, errors: 1 } }), poll(2, { figures: { requests: 999, errors: 0 } })];
    expect(measured(errorShare, seen)).toBe(0.001);
    expect(judgeWatch(strict, seen, 2).state).toBe("passed");
    expect(judgeWatch(strict, [poll(1, { figures: { requests: 200, errors: 1 } })], 1).reasons[0]).toMatch(/error share: 0\.005/);
  });

  it("what was never measured has not been kept", () => {
    expect(judgeWatch(strict, [poll(1, { figures: {} })], 1).reasons).toEqual(["error share: no poll measured errors"]);
    expect(judgeWatch(strict, [poll(1, { figures: { requests: 0, errors: 0 } })], 1).state).toBe("failed");
  });

  it("a peak fails at once, growth is known at the end", () => {
    const at = (n: number, rssBytes: number): Poll => poll(n, { figures: { rssBytes } });
    const max: WatchLimit = { title: "memory", figure: "rssBytes", over: "max", below: 100 };
    expect(judgeWatch({ healthyShare: 1, limits: [max] }, [at(1, 100)], 15).state).toBe("failed");
    const growth: WatchLimit = { ...max, over: "growth", below: 10 };
    expect(judgeWatch({ healthyShare: 1, limits: [growth] }, [at(1, 50), at(2, 90)], 3).state).toBe("going");
    expect(judgeWatch({ healthyShare: 1, limits: [growth] }, [at(1, 50), at(2, 90), at(3, 55)], 3).state).toBe("passed");
    expect(judgeWatch({ healthyShare: 1, limits: [growth] }, [at(1, 50), at(2, 90), at(3, 60)], 3).state).toBe("failed");
  });
});

describe("what is kept", () => {
  let home: string;
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), "backout-watch-"))));
  afterEach(() => rmSync(home, { recursive: true, force: true }));
  const beginning = (change: Partial<WatchBegin> = {}): WatchBegin => ({
    watch: "calm",
    title: "calm",
    epoch: 3,
    runId: "watch-1",
    at: "2026-01-01T00:00:00.000Z",
    speed: 1,
    polls: 2,
    intervalSeconds: 60,
    ...change,
  });

  it("goes on where it was, also after a line that a kill cut off", () => {
    const record = addPoll(beginWatch({ home }, beginning()), poll(1));
    appendFileSync(record.file, '{"type":"poll","n":2,"at":"2026');
    const [again] = recordsOf({ home }, 3, "calm");
    expect(again).toMatchObject({ attempt: 1, end: null, polls: [{ n: 1 }] });
    endWatch(addPoll(addGap(again!, { from: "a", to: "b", seconds: 90 }), poll(2)), { at: "c", state: "passed", reasons: [] });
    expect(recordsOf({ home }, 3, "calm")).toMatchObject([
      { polls: [{ n: 1 }, { n: 2 }], gaps: [{ seconds: 90 }], end: { state: "passed" } },
    ]);
  });

  it("another attempt is another file; another rollout and another watch have their own", () => {
    endWatch(beginWatch({ home }, beginning()), { at: "", state: "failed", reasons: ["x"] });
    expect(beginWatch({ home }, beginning()).attempt).toBe(2);
    beginWatch({ home }, beginning({ epoch: 4 }));
    beginWatch({ home }, beginning({ watch: "calm-long" }));
    expect(recordsOf({ home }, 3, "calm").map(({ attempt, end }) => [attempt, end?.state ?? null])).toEqual([
      [1, "failed"],
      [2, null],
    ]);
  });

  const watches = {
    calm: { title: "calm", after: ["quick"], durationMinutes: 15 },
    stable: { title: "stable", after: ["quick"], durationMinutes: 120, follows: "calm" },
    other: { title: "other", after: ["deploy"], durationMinutes: 1 },
  };
  const system = { name: "shop", defaultScope: "quick", watches } as unknown as SystemDefinition;
  const rollout = (scope: string | null, forward = false) => ({ epoch: 3, plan: { scope, forward } as RolloutPlan });

  it("one that follows another waits for it; pins of no scope count as the usual one", () => {
    const states = (scope: string | null) => watchStates({ home }, system, rollout(scope), 1);
    expect(states(null).map(({ id }) => id)).toEqual(["calm", "stable"]);
    expect(nextWatch(system, states("quick"))?.id).toBe("calm");
    endWatch(beginWatch({ home }, beginning()), { at: "", state: "passed", reasons: [] });
    expect(states("quick").map(({ state }) => state)).toEqual(["passed", "due"]);
    expect(nextWatch(system, states("quick"))?.id).toBe("stable");
    expect(watchStates({ home }, system, rollout(null, true), 1).map(({ id }) => id)).toEqual(["other"]);
    expect(nextWatch(system, watchStates({ home }, system, rollout("elsewhere"), 1))).toBeNull();
  });

  it("a rehearsal proves nothing to a clock that is not sped up", () => {
    endWatch(beginWatch({ home }, beginning({ speed: 3600 })), { at: "", state: "passed", reasons: [] });
    expect(watchStates({ home }, system, rollout("quick"), 1)[0]?.state).toBe("due");
    expect(watchStates({ home }, system, rollout("quick"), 3600)[0]?.state).toBe("passed");
  });
});

describe("the clock", () => {
  it("is the wall's unless told otherwise, and goes on with itself when it is made again", () => {
    expect(clockSpeed({})).toBe(1);
    expect(clockSpeed({ BACKOUT_CLOCK_SPEED: "60" })).toBe(60);
    for (const wrong of ["fast", "0", "-1", "Infinity"]) expect(() => clockSpeed({ BACKOUT_CLOCK_SPEED: wrong })).toThrow(ClockSpeedError);
    expect(clockSince(1000, 1, () => 1500).now()).toBe(1500);
    expect(clockSince(1000, 60, () => 1500).now()).toBe(31_000);
    expect(clockSince(1000, 60, () => 1600).now()).toBe(37_000);
  });
});
