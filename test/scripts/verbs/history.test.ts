/** What the history says of the time that a rollout took. */
import { expect, test } from "vitest";
import { timeOf } from "../../../scripts/verbs/history.ts";

const phase = (name: string, seconds: number) => ({ name, seconds, budgetSeconds: null, status: "done" as const });
const startedAt = "2026-01-01T00:00:00.000Z";

test("until users were in; of one that was gone on with later, how much of it was work", () => {
  const phases = [phase("fence", 1.5), phase("verify", 2.6)];
  expect(timeOf({ startedAt, openedAt: "2026-01-01T00:00:04.250Z", runs: 1, phases })).toBe(" 4.3 s");
  expect(timeOf({ startedAt, openedAt: "2026-01-01T00:03:48.500Z", runs: 2, phases })).toBe(
    " 228.5 s after its start, 4.1 s of work in 2 runs",
  );
  expect(timeOf({ startedAt, openedAt: null, runs: 1, phases })).toBe("");
});
