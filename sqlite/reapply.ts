/** Puts rows of an export back into the live file where its older schema can hold them. */
import type { DatabaseSync } from "node:sqlite";
import { ExportDamagedError } from "../postgres/export-errors.ts";
import { manifestPath } from "../postgres/export-file.ts";
import { Conflict, notHeldOf, putBackInOrder, type NotHeld, type ReapplyConflict, type ReapplyCounts } from "../postgres/reapply-passes.ts";
import { first } from "./database.ts";
import { readExport } from "./export.ts";
import { reapplyRow } from "./reapply-row.ts";
import { Columns, readLiveSchema } from "./reapply-target.ts";
import { isForeignKey, TransactionEndedError } from "./reapply-write.ts";

export interface ReapplyOptions {
  /** Session in the live file, not in a transaction; nobody else has one. */
  live: DatabaseSync;
  /** Where the export of `runId` is. */
  folder: string;
  runId: string;
  /** More conflicts than this and nothing is put back. Default 10,000. */
  conflictLimit?: number;
  /** Runs when everything is done and nothing is kept yet. */
  beforeCommit?: () => Promise<void>;
}

export interface ReapplyResult {
  tables: Record<string, ReapplyCounts>;
  conflicts: ReapplyConflict[];
  notHeld: NotHeld;
}

/**
 * Each row under a savepoint, all in one transaction with every trigger and foreign key at work, also where the system itself does not switch them
 * on: rows without parents are reported and not put back. A second run finds the rows "already so".
 * @throws ExportDamagedError when the export is not whole. @throws TooManyConflictsError, TransactionEndedError. Any error puts nothing back.
 */
export async function reapply({ live, folder, runId, conflictLimit = 10_000, beforeCommit }: ReapplyOptions): Promise<ReapplyResult> {
  const manifest = await readExport(folder, runId);
  if (manifest === null)
    throw new ExportDamagedError(runId, manifestPath(folder, runId), "there is no manifest, so the export is not complete");
  const files = manifest.files.filter(({ kind }) => kind === "jsonl");
  const exported = Object.fromEntries(Object.entries(manifest.tables).filter(([name]) => files.some(({ table }) => table === name)));
  const checks = first<{ foreign_keys: number }>(live, "PRAGMA foreign_keys")?.foreign_keys === 1;
  const columns = new Columns();
  // Only outside a transaction can they be switched.
  live.exec("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE");
  try {
    const schema = readLiveSchema(live, exported);
    const put = await putBackInOrder({
      runId,
      order: schema.order,
      keyless: (table) => exported[table]!.key.length === 0,
      files,
      conflictLimit,
      attempt: (table, difference) =>
        Promise.resolve(underSavepoint(live, () => reapplyRow({ db: live, columns }, schema.targets.get(table)!, difference))),
    });
    await beforeCommit?.();
    commit(live);
    return { ...put, notHeld: notHeldOf(exported, schema.without, schema.targets.values()) };
  } catch (error) {
    if (live.isTransaction) live.exec("ROLLBACK");
    throw error;
  } finally {
    columns.close();
    if (!checks) live.exec("PRAGMA foreign_keys = OFF");
  }
}

function commit(live: DatabaseSync): void {
  try {
    live.exec("COMMIT");
  } catch (error) {
    throw isForeignKey(error) ? new TransactionEndedError(error as Error) : error;
  }
}

function underSavepoint<T>(live: DatabaseSync, work: () => T): T | Conflict {
  live.exec("SAVEPOINT one_row");
  try {
    const result = work();
    live.exec("RELEASE one_row");
    return result;
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    live.exec("ROLLBACK TO one_row; RELEASE one_row");
    return error;
  }
}
