/** Enters migrations in a file's ledger as applied, runs none: a file that was migrated by hand gets its first record. */
import type { DatabaseSync } from "node:sqlite";
import { LedgerKeptError } from "../shared/migrations/errors.ts";
import type { Ledger } from "../shared/migrations/ledger.ts";
import { upScript, type Migration } from "../shared/migrations/script.ts";
import { quote } from "../shared/identifiers.ts";
import { atomically } from "./database.ts";
import { detectLedger } from "./detect.ts";
import { ledgerTable } from "./ledgers.ts";

/**
 * One transaction: all of them or none. Entered a second time, nothing changes.
 * @returns those that were not in it
 * @throws LedgerKeptError where the ledger has others already
 */
export function enterApplied(db: DatabaseSync, migrations: readonly Migration[], kept: Ledger): string[] {
  const ledger = ledgerTable(kept);
  const names = migrations.map(({ name }) => name);
  const there = ledger.rows(db, migrations).map(({ name }) => name);
  if (names.every((name) => there.includes(name))) return [];
  if (there.length > 0) throw new LedgerKeptError(there);
  atomically(db, () => {
    ledger.create(db);
    for (const migration of migrations) {
      const script = upScript(migration);
      ledger.finish(db, migration, script, ledger.begin(db, migration, script));
    }
  });
  return names;
}

/** Removes a ledger that holds nothing but what was entered; one with more in it stays. */
export function removeEntered(db: DatabaseSync, kept: Ledger, migrations: readonly Migration[]): void {
  const names = migrations.map(({ name }) => name);
  const table = detectLedger(db).find(({ ledger }) => ledger === kept)?.table.name;
  const rows = ledgerTable(kept).rows(db, migrations);
  if (table === undefined || rows.length === 0) return;
  if (rows.every(({ name, rolledBackAt }) => names.includes(name) && rolledBackAt === null)) db.exec(`DROP TABLE ${quote(table)}`);
}
