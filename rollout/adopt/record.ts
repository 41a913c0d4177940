/** The rollout that stands for what ran before backout knew the system: nothing was stopped for it, and the next one starts from its pins. */
import { rolloutOf, type Pins } from "../../config/pins.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import type { Rollout } from "../../config/record.ts";
import type { Run } from "../../config/run.ts";
import type { AdoptionRecord } from "../../state/adoption.ts";
import { isDone } from "../inspect.ts";
import { captureBaseline } from "../verification/baseline.ts";
import { auditLogOf, recordInAuditLog } from "../audit-log.ts";

/** Pure. */
export function adoptedPlan(databases: readonly string[], release: string): RolloutPlan {
  return {
    adopted: true,
    scope: null,
    forward: true,
    fromRelease: null,
    toRelease: release,
    changes: [],
    stop: [],
    off: [],
    closeGate: false,
    fenceData: false,
    databases: Object.fromEntries(databases.map((name) => [name, { action: { kind: "none" }, up: [], back: [], backBy: "keep" }])),
    take: [],
    flagsChanged: [],
    maintenanceChanged: false,
  };
}

/** An interrupted adoption keeps its epoch. @param begun what is recorded of an adoption; null: nothing. Pure. */
export function adoptionEpoch(last: Rollout | null, begun: AdoptionRecord | null): number {
  return last?.plan.adopted === true && begun?.doneAt === null ? last.epoch : (last?.epoch ?? 0) + 1;
}

export async function recordAdoption(run: Run, pins: Pins, reason: string | null): Promise<void> {
  const { state, epoch, runId, definition, site } = run;
  if (isDone(await state.rollout(epoch))) return;
  const plan = adoptedPlan(Object.keys(definition.databases), pins.release);
  await state.beginRollout({ epoch, rollout: rolloutOf(pins), pins, plan, runId, reason });
  await state.setBaseline(epoch, await captureBaseline(run, pins));
  await recordInAuditLog(auditLogOf(run), {
    runId,
    epoch,
    event: "adoption",
    system: definition.name,
    stack: site.stack,
    from: null,
    to: pins.release,
    reason,
    success: true,
  });
  await state.setState(epoch, "open");
  await state.setRecorded(epoch);
}
