import { expect, test } from "vitest";
import { loadSystem } from "../../../config/load-system.ts";
import { SEVEN_PHASES } from "../../../systems/orbis-forge/scopes.ts";

const MINUTE = 60;

test("the seven phases begin and end where the plan says, and each phase of a rollout keeps to its share", async () => {
  const day = 24 * 60;
  expect(SEVEN_PHASES.map(({ fromMinute, toMinute }) => [fromMinute, toMinute])).toEqual([
    [0, 5],
    [5, 15],
    [15, 30],
    [30, 45],
    [45, 60],
    [60, 75],
    [day, 7 * day],
  ]);
  const { scopes } = await loadSystem("orbis-forge");
  const { fence, snapshot, data, install, start, verify, finalize } = scopes["full"]!.phaseBudgets;
  const [protection, assessment, restoration, application, governance] = SEVEN_PHASES.map(
    ({ fromMinute, toMinute }) => (toMinute - fromMinute) * MINUTE,
  );
  expect([fence, snapshot, data, install! + start! + verify!, finalize]).toEqual([
    protection,
    assessment,
    restoration,
    application,
    governance,
  ]);
});
