/** After users are in again: rows written since are exported, retention is applied, the next copy is armed, the record is closed. */
import type { Declared } from "../../declared/schema.ts";
import { armInBackground } from "../arming.ts";
import { endRun } from "../ending.ts";
import type { ExportFile } from "../engine.ts";
import { exportsOf } from "../exports.ts";
import { governanceOf, recordGovernance } from "../governance.ts";
import { movedData } from "../moved-data.ts";
import { applyRetention } from "../retention.ts";
import { step, type Run } from "../run.ts";
import { rowsPutBack } from "./reapply.ts";

export type Exported = ExportFile;

export async function record(
  run: Run,
  keep: Declared["backups"],
  arm: Declared["arm"],
  pinned: string[],
  order: readonly string[] | null = null,
): Promise<{ exported: Exported[] }> {
  const crossing = await run.control.crossing(run.epoch);
  if (crossing === null) throw new Error(`crossing ${run.epoch} has no record`);
  const exported: Exported[] = [];
  const setAside: Record<string, number> = {};
  for (const database of Object.keys(crossing.plan.databases)) {
    const { epoch, action } = await movedData(run, database);
    if (action.kind === "restore" || action.kind === "undo") {
      const files = await step(
        run,
        "record",
        `export rows written since of ${database}`,
        () => exportsOf({ ...run, epoch }, database, action),
        (done) => done,
      );
      exported.push(...files);
      // The other files hold the same rows in another form.
      const since = files.filter(({ path }) => path.endsWith(".jsonl")).reduce((sum, { rows }) => sum + rows, 0);
      setAside[database] = since - (await rowsPutBack(run, epoch, database));
    }
  }
  await step(
    run,
    "record",
    "retention",
    () => applyRetention(run, keep, pinned, order),
    (dropped) => ({ dropped }),
  );
  await step(run, "record", "governance log", () =>
    recordGovernance(governanceOf(run), {
      runId: crossing.runId,
      epoch: run.epoch,
      event: crossing.plan.forward ? "deployment" : "rollback",
      system: run.definition.name,
      stack: run.site.stack,
      from: crossing.plan.fromRelease,
      to: crossing.plan.toRelease,
      scope: crossing.plan.scope,
      ...(crossing.plan.component === undefined ? {} : { component: crossing.plan.component }),
      reason: crossing.reason,
      success: true,
      exported,
    }),
  );
  await step(
    run,
    "record",
    "account and evidence",
    () => endRun(run, setAside),
    (ended) => ended,
  );
  await run.control.setRecorded(run.epoch);
  armInBackground(run.site, arm);
  return { exported };
}
