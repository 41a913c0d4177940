/** After users are in again: rows written since are exported, retention is applied, the next standby copy begins, the record is closed. */
import type { Rollout } from "../../config/record.ts";
import type { StackConfig } from "../../config/schema.ts";
import { makeStandbysInBackground, missingStandbys } from "../standby.ts";
import { storeArtefacts } from "../artefacts.ts";
import { endRun } from "../ending.ts";
import type { ExportFile } from "../../config/journal.ts";
import { exportsOf } from "../exports.ts";
import { auditLogOf, recordInAuditLog } from "../audit-log.ts";
import { movedData } from "../moved-data.ts";
import { applyRetention } from "../retention.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { rowsPutBack } from "./reapply.ts";

const phase = "finalize";

/** How many interrupted rollouts in a row are looked back over. */
const LOOK_BACK = 20;

export async function finalize(
  run: Run,
  keep: StackConfig["backups"],
  standby: StackConfig["standby"],
  pinned: string[],
  order: readonly string[] | null = null,
): Promise<{ exported: ExportFile[]; left: string[] }> {
  const rollout = await run.state.rollout(run.epoch);
  if (rollout === null) throw new Error(`rollout ${run.epoch} has no record`);
  // Before retention: what an interrupted one set aside may be in no export yet.
  for (const earlier of await leftOpen(run)) {
    const before = { ...run, epoch: earlier.epoch };
    await close(before, earlier, await exportMoved(before, earlier));
  }
  // A record that is closed stays: what is done again is retention and what the store lacks.
  const closed = rollout.recordedAt !== null;
  const moved = closed ? { exported: await run.state.exports(run.epoch), setAside: {} } : await exportMoved(run, rollout);
  await step(
    run,
    { phase, kind: "retention", name: "retention" },
    () => applyRetention(run, keep, pinned, order),
    (dropped) => ({ dropped }),
  );
  if (!closed) await close(run, rollout, moved);
  const left = await copyToStore(run);
  if ((await missingStandbys(run.state, standby)).length > 0) makeStandbysInBackground(run.site, standby);
  return { exported: moved.exported, left };
}

/** @returns paths below the home, of what the store has not yet */
async function copyToStore(run: Run): Promise<string[]> {
  if (run.site.store === undefined) return [];
  const name = "copies in the store";
  const { left } = await step(
    run,
    { phase, kind: "store", name },
    () => storeArtefacts(run),
    (done) => done,
  );
  return left;
}

/** Rollouts that opened, were interrupted before their record was closed, and were followed by this one; oldest first. */
async function leftOpen({ state, epoch }: Run): Promise<Rollout[]> {
  const earlier = (await state.rollouts(LOOK_BACK)).filter((one) => one.epoch < epoch);
  return earlier.filter(({ state, recordedAt }) => state === "open" && recordedAt === null).sort((a, b) => a.epoch - b.epoch);
}

interface MovedData {
  exported: ExportFile[];
  /** Rows that are in the live data no more, by database. */
  setAside: Record<string, number>;
}

async function exportMoved(run: Run, { plan }: Rollout): Promise<MovedData> {
  const exported: ExportFile[] = [];
  const setAside: Record<string, number> = {};
  for (const database of Object.keys(plan.databases)) {
    const { epoch, action } = await movedData(run, database);
    if (action.kind === "restore" || action.kind === "undo") {
      const files = await step(
        run,
        { phase, kind: "export", name: `export rows written since of ${database}` },
        () => exportsOf({ ...run, epoch }, database, action),
        (done) => done,
      );
      exported.push(...files);
      // The other files hold the same rows in another form.
      const since = files.filter(({ path }) => path.endsWith(".jsonl")).reduce((sum, { rows }) => sum + rows, 0);
      setAside[database] = since - (await rowsPutBack(run, epoch, database));
    }
  }
  return { exported, setAside };
}

async function close(run: Run, { runId, plan, reason }: Rollout, { exported, setAside }: MovedData): Promise<void> {
  const line = {
    runId,
    epoch: run.epoch,
    event: plan.forward ? "deployment" : "rollback",
    system: run.definition.name,
    stack: run.site.stack,
    from: plan.fromRelease,
    to: plan.toRelease,
    scope: plan.scope,
    ...(plan.service === undefined ? {} : { service: plan.service }),
    reason,
    success: true,
    exported,
  };
  await step(
    run,
    { phase, kind: "governance-log", name: "audit log" },
    () => recordInAuditLog(auditLogOf(run), line),
    () => null,
  );
  await step(
    run,
    { phase, kind: "close-record", name: "audit entry and evidence" },
    () => endRun(run, setAside),
    () => null,
  );
  await run.state.setRecorded(run.epoch);
}
