/** What was begun and is not done, by the record and by what a verb kept before it wrote its pins. */
import { expect, test } from "vitest";
import type { Intent } from "../../../state/intent.ts";
import type { Rollout } from "../../../config/record.ts";
import { rolloutOf } from "../../../config/pins.ts";
import { upCommand } from "../../../config/commands.ts";
import type { Site } from "../../../config/site.ts";
import { askedBefore, pendingOf, type Standing } from "../../../scripts/pulumi/standing.ts";
import { pinsOf } from "../../config/sample.ts";

const site = { project: "/nowhere", stack: "shop" } as Site;
const BEFORE = pinsOf();
const AFTER = pinsOf({ release: "v3.0.0" });

function rollout(epoch: number, pins = BEFORE, change: Partial<Rollout> = {}): Rollout {
  const plan = { fromRelease: "v4.0.0", toRelease: pins.release, forward: false } as Rollout["plan"];
  const times = { startedAt: "", openedAt: "", recordedAt: "" };
  return {
    epoch,
    rollout: rolloutOf(pins),
    pins,
    plan,
    state: "open",
    runId: "r",
    ...times,
    failure: null,
    baseline: null,
    reason: null,
    ...change,
  };
}

const intent = (change: Partial<Intent> = {}): Intent => ({
  verb: "rollback",
  goal: "{}",
  command: "rollback --stack shop",
  runId: "rollback-1",
  reason: null,
  rollout: rolloutOf(AFTER),
  after: 1,
  edits: [],
  before: {},
  ...change,
});

const pending = (last: Rollout | null, kept: Intent | null, pins = AFTER) => pendingOf({ site, pins }, last, kept);

test("pins that are written and not begun, one that is on its way, and one whose record is not closed are pending", () => {
  expect(pending(rollout(1), intent())).toMatchObject({ rollout: null, forward: false, command: "npx backout rollback --stack shop" });
  const under = rollout(2, AFTER, { state: "closed", recordedAt: null });
  expect(pending(under, intent())).toMatchObject({ rollout: under, intent: { runId: "rollback-1" } });
  const unrecorded = rollout(2, AFTER, { recordedAt: null });
  expect(pending(unrecorded, intent())).toMatchObject({ rollout: unrecorded });
  // By plain Pulumi: nobody kept anything.
  expect(pending(under, null)).toMatchObject({ intent: null, command: upCommand(site) });
});

test("what is done, was refused, or was written and taken out again is not", () => {
  expect(pending(null, null)).toBeNull();
  expect(pending(rollout(2, AFTER), intent())).toBeNull();
  expect(pending(rollout(2, AFTER, { state: "refused", recordedAt: null }), intent())).toBeNull();
  expect(pending(rollout(1), intent(), BEFORE)).toBeNull();
  // The same pins opened already, and somebody kept the intent after that.
  expect(pending(rollout(2, AFTER), intent({ after: 2 }))).toBeNull();
});

test("the same words are gone on with, or done; other words are another goal", () => {
  const standing = (last: Rollout, kept: Intent) => ({ last, intent: kept, pending: pending(last, kept) }) as unknown as Standing;
  const under = rollout(2, AFTER, { state: "closed", recordedAt: null });
  for (const last of [under, rollout(2, AFTER), rollout(1)]) {
    const kept = intent();
    expect(askedBefore(standing(last, kept), "rollback", "{}")).toBe(kept);
    expect(askedBefore(standing(last, kept), "rollback", "other")).toBeNull();
    expect(askedBefore(standing(last, kept), "undo", "{}")).toBeNull();
  }
  // Something else was done since.
  expect(askedBefore(standing(rollout(3), intent()), "rollback", "{}")).toBeNull();
});
