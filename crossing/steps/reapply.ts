/**
 * `carry: reapply`: rows written since are put back into what was restored. Inside the fence, when the data has the schema its release needs and
 * nobody is let in yet: users and checks see all of it or none, and no row of theirs can come between. Costs time that users wait; the preview
 * tells how many rows it is.
 */
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pins } from "../../declared/pins.ts";
import type { Carry } from "../../declared/schema.ts";
import type { SystemDefinition } from "../../systems/definition.ts";
import { countTables } from "../../verification/baseline.ts";
import { engineOf, type PutBack } from "../engine.ts";
import type { DataAction } from "../plan.ts";
import { RefusedError, step, type Run } from "../run.ts";
import { exportFolder, exportsOf } from "../exports.ts";

/** What is kept of it in the control record, for verification and for whoever asks later. */
export interface Reapplied {
  tables: PutBack["tables"];
  notHeld: PutBack["notHeld"];
  conflicts: number;
  /** JSON Lines, one per row that was left out; null: none. */
  conflictFile: string | null;
  /** Rows per table afterwards: what has to be there when users are let in. */
  counts: Record<string, number>;
}

/** Why rows could not be put back, found before anything stops. */
export async function cannotPutBack(definition: SystemDefinition, pins: Pins, carry: Carry): Promise<string[]> {
  if (carry !== "reapply") return [];
  const reasons: string[] = [];
  for (const [database, pin] of Object.entries(pins.data))
    if (pin.kind !== "current" && (await engineOf(definition, database)).putBack === undefined)
      reasons.push(`backout:carry is "reapply", but rows of ${database} cannot be put back: set it to "export", which keeps them as files`);
  return reasons;
}

export function reappliedKey(epoch: number, database: string): string {
  return `reapplied/${epoch}/${database}`;
}

/** Idempotent: the export of the same run is verified and used again, and rows that are there already are left alone. */
export async function reapplySince(run: Run, database: string, action: DataAction, runId: string): Promise<Reapplied> {
  const engine = await engineOf(run.definition, database);
  const work = engine.putBack?.bind(engine);
  if (work === undefined) throw new RefusedError(`backout:carry is "reapply", but rows of ${database} cannot be put back: pin "export"`);
  const folder = exportFolder(run.site, runId, database);
  await step(
    run,
    "data",
    `export rows written since of ${database}`,
    () => exportsOf(run, database, action),
    (files) => files,
  );
  return step(
    run,
    "data",
    `put rows back into ${database}`,
    async () => {
      const { tables, conflicts, notHeld } = await work(run, database, folder, runId);
      const conflictFile = keepConflicts(join(folder, `${runId}.conflicts.jsonl`), conflicts);
      const live = await engine.openLive(run, database, true);
      const counts = await countTables(live.session, run.definition.databases[database]!.tables).finally(() => live.end());
      const done = { tables, notHeld, conflicts: conflicts.length, conflictFile, counts };
      await run.control.keep(reappliedKey(run.epoch, database), done);
      if (conflictFile !== null)
        run.log("warning", `${conflicts.length} rows of ${database} clash with what was restored and were left out: ${conflictFile}`);
      return done;
    },
    (done) => done,
  );
}

function keepConflicts(file: string, conflicts: PutBack["conflicts"]): string | null {
  rmSync(file, { force: true });
  if (conflicts.length === 0) return null;
  writeFileSync(file, "", { mode: 0o600 });
  for (const conflict of conflicts) appendFileSync(file, `${JSON.stringify(conflict)}\n`);
  return file;
}

/** Rows per table that verification has to find after rows were put back; empty where none were. */
export async function countsAfterReapply(
  { control, definition }: Pick<Run, "control" | "definition">,
  epoch: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const database of Object.keys(definition.databases))
    Object.assign(counts, (await control.kept<Reapplied>(reappliedKey(epoch, database)))?.counts ?? {});
  return counts;
}
