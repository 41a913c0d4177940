/** The ledger table of migrations in a file: Prisma's own, or backout's with the same columns. */
import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { LedgerRow } from "../shared/migrations/ledger.ts";
import { all, hasTable, run } from "./database.ts";

/** `prisma`: `_prisma_migrations`; `backout`: `_backout_migrations`. */
export type AttemptsLedger = "prisma" | "backout";

function tableOf(ledger: AttemptsLedger): string {
  return `_${ledger}_migrations`;
}

/** Times are milliseconds since 1970, as Prisma writes them. */
export function createLedger(db: DatabaseSync, ledger: AttemptsLedger): void {
  db.exec(`CREATE TABLE IF NOT EXISTS ${tableOf(ledger)} (
    id TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL, finished_at DATETIME, migration_name TEXT NOT NULL, logs TEXT, rolled_back_at DATETIME,
    started_at DATETIME NOT NULL DEFAULT current_timestamp, applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0)`);
}

/** In the order the migrations were started; none where there is no ledger yet. */
export function ledgerRows(db: DatabaseSync, ledger: AttemptsLedger): LedgerRow[] {
  const table = tableOf(ledger);
  if (!hasTable(db, table)) return [];
  type Raw = Omit<LedgerRow, "startedAt" | "finishedAt" | "rolledBackAt"> &
    Record<"startedAt" | "finishedAt" | "rolledBackAt", number | string | null>;
  return all<Raw>(
    db,
    `SELECT id, checksum, migration_name AS name, logs, started_at AS startedAt, finished_at AS finishedAt, rolled_back_at AS rolledBackAt,
            applied_steps_count AS appliedSteps FROM ${table} ORDER BY started_at, rowid`,
  ).map((row) => ({
    ...row,
    startedAt: timeOf(row.startedAt)!,
    finishedAt: timeOf(row.finishedAt),
    rolledBackAt: timeOf(row.rolledBackAt),
  }));
}

function timeOf(value: number | string | null): Date | null {
  return value === null ? null : new Date(value);
}

export function insertStarted(db: DatabaseSync, ledger: AttemptsLedger, name: string, checksum: string, logs: string): string {
  const id = randomUUID();
  run(db, `INSERT INTO ${tableOf(ledger)} (id, checksum, migration_name, logs, started_at) VALUES ($1, $2, $3, $4, $5)`, [
    id,
    checksum,
    name,
    logs,
    Date.now(),
  ]);
  return id;
}

export function finishRow(db: DatabaseSync, ledger: AttemptsLedger, id: string): void {
  run(db, `UPDATE ${tableOf(ledger)} SET finished_at = $2, applied_steps_count = 1, logs = NULL WHERE id = $1`, [id, Date.now()]);
}

export function logRow(db: DatabaseSync, ledger: AttemptsLedger, id: string, logs: string): void {
  run(db, `UPDATE ${tableOf(ledger)} SET logs = $2 WHERE id = $1`, [id, logs]);
}

/** Marks every attempt that still stands, finished or not. Returns how many there were. */
export function markRows(db: DatabaseSync, ledger: AttemptsLedger, name: string): number {
  return run(db, `UPDATE ${tableOf(ledger)} SET rolled_back_at = $2 WHERE migration_name = $1 AND rolled_back_at IS NULL`, [
    name,
    Date.now(),
  ]);
}
