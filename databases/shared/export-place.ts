/** Where an export lies, and against what it is measured. */
import type { Run } from "../../config/run.ts";
import { exportFolder } from "../../config/site.ts";
import type { DataAction, Lineage } from "../../config/plan.ts";
import type { Snapshot } from "../../config/record.ts";
import { findSnapshot, restoredBy } from "../../state/snapshots.ts";

/** Where the export of the run's rollout lies: the run that began it gave it its name. */
export async function exportPlace(run: Run, database: string): Promise<{ folder: string; runId: string }> {
  const runId = (await run.state.rollout(run.epoch))?.runId ?? run.runId;
  return { folder: exportFolder(run.site, runId, database), runId };
}

/** What "since" is measured against: the snapshot that is restored, or, for an undo, the one that what is set aside descends from. Null: none. */
export async function exportBase(run: Run, database: string, action: DataAction, setAside: Lineage): Promise<Snapshot | null> {
  if (action.kind === "restore") return restoredBy(action, await run.state.readySnapshots(), database);
  return setAside.snapshot === null ? null : findSnapshot(run.state, database, setAside.snapshot);
}
