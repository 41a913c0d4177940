/** Enters migrations in a ledger as applied, runs none: a database that was migrated by hand gets its first record. */
import type { Client } from "pg";
import type { Ledger } from "../../shared/migrations/ledger.ts";
import { LedgerKeptError } from "../../shared/migrations/errors.ts";
import { upScript, type Migration } from "../../shared/migrations/script.ts";
import { atomically } from "../transaction.ts";
import { detectLedger } from "./detect.ts";
import { quote } from "../../shared/identifiers.ts";
import { withMigrationLock } from "./ledger.ts";
import { ledgerTable } from "./ledgers.ts";

/**
 * One transaction: all of them or none. Entered a second time, nothing changes.
 * @returns those that were not in it
 * @throws LedgerKeptError where the ledger has others already: what it says is the tool's own
 */
export async function enterApplied(client: Client, migrations: readonly Migration[], kept: Ledger, owner: string): Promise<string[]> {
  if (migrations.length === 0) return [];
  const names = migrations.map(({ name }) => name);
  const ledger = ledgerTable(kept);
  return withMigrationLock(client, async () => {
    const there = (await ledger.rows(client, migrations)).map(({ name }) => name);
    if (names.every((name) => there.includes(name))) return [];
    if (there.length > 0) throw new LedgerKeptError(there);
    await atomically(client, async () => {
      await ledger.create(client, owner);
      for (const migration of migrations) {
        const script = upScript(migration);
        await ledger.finish(client, migration, script, await ledger.begin(client, migration, script, null));
      }
    });
    return names;
  });
}

/** Removes a ledger that holds nothing but what was entered; one with more in it stays, and so do others' tables. */
export async function removeEntered(client: Client, kept: Ledger, migrations: readonly Migration[]): Promise<void> {
  const names = migrations.map(({ name }) => name);
  if (names.length === 0) return;
  await withMigrationLock(client, async () => {
    const table = (await detectLedger(client)).find(({ ledger }) => ledger === kept)?.table;
    const rows = await ledgerTable(kept).rows(client, migrations);
    if (table === undefined || rows.length === 0) return;
    if (!rows.every(({ name, rolledBackAt }) => names.includes(name) && rolledBackAt === null)) return;
    await client.query(`DROP TABLE ${quote(table.schema!)}.${quote(table.name)}`);
    // Supabase's ledger has a schema of its own.
    if (kept === "supabase") await client.query(`DROP SCHEMA ${quote(table.schema!)}`);
  });
}
