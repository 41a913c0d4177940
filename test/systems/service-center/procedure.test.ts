import { expect, test } from "vitest";
import { loadSystem } from "../../../config/load-system.ts";
import { DATABASE_STEPS, MAXIMUM_SECONDS, PHASE_BUDGETS, PROCEDURE, TARGET_SECONDS } from "../../../systems/service-center/procedure.ts";

test("the six phases have the documented times: 15 minutes on the critical path, 21 at most, communication beside it", () => {
  const minutes = Object.values(PROCEDURE).map(({ fastestSeconds, slowestSeconds }) => [fastestSeconds / 60, slowestSeconds / 60]);
  expect(minutes).toEqual([
    [1, 1],
    [3, 5],
    [8, 10],
    [1, 2],
    [2, 3],
    [1, 1],
  ]);
  expect(Object.values(PROCEDURE).map(({ onCriticalPath }) => onCriticalPath)).toEqual([true, true, true, true, true, false]);
  expect([TARGET_SECONDS / 60, MAXIMUM_SECONDS / 60]).toEqual([15, 21]);
  expect(DATABASE_STEPS).toEqual({ stopTraffic: 30, safetyBackup: 120, restore: 300, verify: 120 });
});

test("the phases of a rollout share the time of the whole, and traffic has stopped before the data's share begins", async () => {
  const { scopes } = await loadSystem("service-center");
  expect(scopes["full"]?.phaseBudgets).toEqual(PHASE_BUDGETS);
  expect(Object.values(PHASE_BUDGETS).reduce((sum, seconds) => sum + seconds, 0)).toBeLessThanOrEqual(TARGET_SECONDS);
  expect(Object.keys(PHASE_BUDGETS)).toEqual(["plan", "fence", "snapshot", "data", "install", "start", "verify"]);
});
