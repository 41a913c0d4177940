/** After users are in again: rows written since are exported, retention is applied, the next copy is armed, the record is closed. */
import { join } from "node:path";
import { mkdirSync } from "node:fs";
import type { Declared } from "../../declared/schema.ts";
import { appendGovernance } from "../../records/governance.ts";
import { armInBackground } from "../arming.ts";
import { endRun } from "../ending.ts";
import { baseSnapshot } from "../at-risk.ts";
import { engineOf, type ExportFile } from "../engine.ts";
import type { DataAction } from "../plan.ts";
import { applyRetention } from "../retention.ts";
import { step, type Run } from "../run.ts";

export type Exported = ExportFile;

export async function record(
  run: Run,
  keep: Declared["backups"],
  arm: Declared["arm"],
  pinned: string[],
): Promise<{ exported: Exported[] }> {
  const crossing = await run.control.crossing(run.epoch);
  if (crossing === null) throw new Error(`crossing ${run.epoch} has no record`);
  const exported: Exported[] = [];
  const setAside: Record<string, number> = {};
  for (const [database, { action }] of Object.entries(crossing.plan.databases))
    if (action.kind === "restore" || action.kind === "undo") {
      const files = await step(
        run,
        "record",
        `export rows written since of ${database}`,
        () => exportSince(run, database, action, crossing.runId),
        (done) => done,
      );
      exported.push(...files);
      // The other files hold the same rows in another form.
      setAside[database] = files.filter(({ path }) => path.endsWith(".jsonl")).reduce((sum, { rows }) => sum + rows, 0);
    }
  await step(
    run,
    "record",
    "retention",
    () => applyRetention(run, keep, pinned),
    (dropped) => ({ dropped }),
  );
  await step(run, "record", "governance log", async () =>
    Promise.resolve(
      appendGovernance(join(run.site.home, "records", "governance.jsonl"), {
        runId: crossing.runId,
        epoch: run.epoch,
        event: crossing.plan.forward ? "deployment" : "rollback",
        system: run.definition.name,
        stack: run.site.stack,
        from: crossing.plan.fromRelease,
        to: crossing.plan.toRelease,
        scope: crossing.plan.scope,
        reason: crossing.reason,
        success: true,
        exported,
      }),
    ),
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

/** Compares what was set aside with the snapshot it is measured against; files and their hashes go into the catalogue. */
async function exportSince(run: Run, database: string, action: DataAction, runId: string): Promise<Exported[]> {
  const quarantine = (await run.control.catalogued()).find(
    (entry) => entry.role === "quarantine" && entry.database === database && entry.epoch === run.epoch,
  );
  if (quarantine === undefined) return [];
  const snapshot =
    action.kind === "restore" ? await baseSnapshot(run, database, action) : await snapshotOf(run, database, quarantine.lineage.snapshot);
  if (snapshot === null) return [];
  const folder = join(run.site.home, "exports", runId, database);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = await (await engineOf(run.definition, database)).exportSince(run, quarantine, snapshot, folder, runId);
  for (const file of files) await run.control.addExport(run.epoch, database, file);
  return files;
}

async function snapshotOf(run: Run, database: string, lineage: { name: string; generation: number } | null) {
  if (lineage === null) return null;
  return baseSnapshot(run, database, { kind: "restore", snapshot: lineage.name, generation: lineage.generation, again: 0 });
}
