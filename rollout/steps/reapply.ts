/**
 * `newWrites: reapply`: rows written since are put back into what was restored. Inside the fence, when the data has the schema its release needs and
 * nobody is let in yet: users and checks see all of it or none, and no row of theirs can come between. Costs time that users wait; the preview
 * tells how many rows it is.
 */
import { LARGE_OBJECTS } from "../../databases/shared/not-compared.ts";
import { countTables, tablesOf } from "../../databases/tables.ts";
import type { PutBack } from "../../databases/engine.ts";
import { dataOf, inspectionOf } from "../../databases/registry.ts";
import type { Moved } from "../moved-data.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { exportsOf, isExported } from "../exports.ts";
import { exportPlace } from "../../databases/shared/export-place.ts";

/** What is kept of it in the state, for verification and later reports. */
export interface Reapplied {
  tables: PutBack["tables"];
  notHeld: PutBack["notHeld"];
  conflicts: number;
  /** JSON Lines, one per row that was left out; null: none. */
  conflictFile: string | null;
  /** Rows per table afterwards: what has to be there when users are let in. */
  counts: Record<string, number>;
}

export function reappliedKey(epoch: number, database: string): string {
  return `reapplied/${epoch}/${database}`;
}

/**
 * Once: neither a run that is started again nor a rollout that resumes after a failed one undoes what services did with rows that were put back.
 * Killed before the result was kept, the same export is verified and used again, and rows that are there already are left alone.
 * @param moved the rollout that moved the data, this one or one before it that never opened
 */
export async function reapplySince(run: Run, database: string, { epoch, action }: Moved): Promise<Reapplied> {
  const { folder, runId } = await exportPlace({ ...run, epoch }, database);
  await step(
    run,
    { phase: "data", kind: "export", name: `export rows written since of ${database}` },
    () => exportsOf({ ...run, epoch }, database, action),
    (files) => files,
  );
  return step(
    run,
    { phase: "data", kind: "put-back", name: `put rows back into ${database}` },
    async () => {
      const before = await run.state.kept<Reapplied>(reappliedKey(epoch, database));
      if (before !== null) return before;
      if (!isExported(folder, runId)) {
        run.log(
          "warning",
          `nothing is put back into ${database}: rows written since are not known; the former live database is in quarantine`,
        );
        return { tables: {}, notHeld: { tables: {}, columns: {} }, conflicts: 0, conflictFile: null, counts: {} };
      }
      const { tables, conflictFile, notHeld } = await (await dataOf(run, database)).putBack(run, database, folder, runId);
      const live = await (await inspectionOf(run, database)).openLive(run, database, true);
      const listed = run.definition.databases[database]!.tables;
      const counts = await tablesOf(live.session, listed)
        .then((names) => countTables(live.session, names))
        .finally(() => live.end());
      const conflicts = Object.values(tables).reduce((sum, table) => sum + table.conflicts, 0);
      const done = { tables, notHeld, conflicts, conflictFile, counts };
      // Verification asks this rollout; whichever goes on asks the one that moved the data.
      for (const its of new Set([run.epoch, epoch])) await run.state.keep(reappliedKey(its, database), done);
      for (const line of leftOut(database, done)) run.log("warning", line);
      return done;
    },
    (done) => done,
  );
}

/** Rows of an export that the live data has again, those of tables that the newer schema had dropped among them. */
export async function rowsPutBack({ state }: Pick<Run, "state">, epoch: number, database: string): Promise<number> {
  const { tables = {}, notHeld } = (await state.kept<Reapplied>(reappliedKey(epoch, database))) ?? {};
  const written = Object.values(tables).map(({ inserted, updated, deleted, unchanged }) => inserted + updated + deleted + unchanged);
  return [...written, ...Object.values(notHeld?.dropped ?? {})].reduce((sum, rows) => sum + rows, 0);
}

/** What a rollout put back into a database, and what not. */
export interface ReappliedTold extends Omit<Reapplied, "counts"> {
  database: string;
  /** What is not in the live data again, in words. */
  leftOut: string[];
}

/** Of every database that rows were put back into. */
export async function reappliedBy({ state, definition }: Pick<Run, "state" | "definition">, epoch: number): Promise<ReappliedTold[]> {
  const all: ReappliedTold[] = [];
  for (const database of Object.keys(definition.databases)) {
    const done = await state.kept<Reapplied>(reappliedKey(epoch, database));
    if (done === null) continue;
    const { tables, notHeld, conflicts, conflictFile } = done;
    all.push({ database, tables, notHeld, conflicts, conflictFile, leftOut: leftOut(database, done) });
  }
  return all;
}

/** What of an export is not in the live data again, in words. */
function leftOut(database: string, { tables, notHeld, conflicts, conflictFile }: Omit<Reapplied, "counts">): string[] {
  const lines: string[] = [];
  if (conflicts > 0)
    lines.push(
      `${count(conflicts)} of ${database} ${conflicts === 1 ? "clashes" : "clash"} with what was restored and ${conflicts === 1 ? "was" : "were"} left out: ${conflictFile}`,
    );
  for (const [table, rows] of Object.entries(notHeld.tables))
    lines.push(
      table === LARGE_OBJECTS
        ? `${database}: large objects are not put back: ${rows} ${rows === 1 ? "piece" : "pieces"} of 64 KB that changed since ${rows === 1 ? "is" : "are"} in the export and the quarantine only`
        : `${count(rows)} of ${database}: ${table} ${rows === 1 ? "is" : "are"} in the export only: the restored schema cannot hold the table`,
    );
  for (const [table, columns] of Object.entries(notHeld.columns)) {
    const alone = tables[table]?.notHeld ?? 0;
    lines.push(
      `${database}: ${table}: the restored schema has no column ${columns.join(", ")}: its values are in the export only${alone === 0 ? "" : `; ${count(alone)} differ in nothing else`}`,
    );
  }
  for (const [table, rows] of Object.entries(notHeld.dropped ?? {}))
    lines.push(
      `${database}: ${table}: the newer schema has no such table: its ${count(rows)} ${rows === 1 ? "stays as it was" : "stay as they were"} restored`,
    );
  for (const [table, columns] of Object.entries(notHeld.defaulted ?? {}))
    lines.push(
      `${database}: ${table}: rows that were put back have no value of their own in ${columns.join(", ")}: the newer schema has no such column`,
    );
  return lines;
}

function count(rows: number): string {
  return `${rows} ${rows === 1 ? "row" : "rows"}`;
}

/** Rows per table that verification has to find after rows were put back; empty where none were. */
export async function countsAfterReapply(
  { state, definition }: Pick<Run, "state" | "definition">,
  epoch: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const database of Object.keys(definition.databases))
    Object.assign(counts, (await state.kept<Reapplied>(reappliedKey(epoch, database)))?.counts ?? {});
  return counts;
}
