/** Enters migrations in a file's ledger as applied, runs none: a file that was migrated by hand gets its first record. */
import type { DatabaseSync } from "node:sqlite";
import { LedgerKeptError } from "../shared/migrations/errors.ts";
import { checksum, upScript, type Migration } from "../shared/migrations/script.ts";
import { atomically } from "./database.ts";
import { createLedger, dropLedger, finishRow, insertStarted, ledgerRows, type Ledger } from "./ledger.ts";

/**
 * One transaction: all of them or none. Entered a second time, nothing changes.
 * @returns those that were not in it
 * @throws LedgerKeptError where the ledger has others already
 */
export function enterApplied(db: DatabaseSync, migrations: readonly Migration[], ledger: Ledger): string[] {
  const names = migrations.map(({ name }) => name);
  const there = ledgerRows(db, ledger).map(({ name }) => name);
  if (names.every((name) => there.includes(name))) return [];
  if (there.length > 0) throw new LedgerKeptError(there);
  atomically(db, () => {
    createLedger(db, ledger);
    for (const migration of migrations) finishRow(db, ledger, insertStarted(db, ledger, migration.name, checksum(upScript(migration)), ""));
  });
  return names;
}

/** Removes a ledger that holds nothing but what was entered; one with more in it stays. */
export function removeEntered(db: DatabaseSync, ledger: Ledger, names: readonly string[]): void {
  if (names.length === 0) return;
  const rows = ledgerRows(db, ledger);
  if (rows.length > 0 && rows.every(({ name, rolledBackAt }) => names.includes(name) && rolledBackAt === null)) dropLedger(db, ledger);
}
