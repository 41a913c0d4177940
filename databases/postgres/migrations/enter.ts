/** Enters migrations in a ledger as applied, runs none: a database that was migrated by hand gets its first record. */
import type { Client } from "pg";
import type { Ledger } from "../../shared/migrations/ledger.ts";
import { LedgerKeptError } from "../../shared/migrations/errors.ts";
import { upScript, type Migration } from "../../shared/migrations/script.ts";
import { atomically } from "../transaction.ts";
import { withMigrationLock } from "./ledger.ts";
import { ledgerTable } from "./ledgers.ts";

/** What a ledger consists of: dropped again where nothing else is in it. */
const MADE: Partial<Record<Ledger, string>> = {
  prisma: "DROP TABLE public._prisma_migrations",
  supabase: "DROP TABLE supabase_migrations.schema_migrations; DROP SCHEMA supabase_migrations",
};

/**
 * One transaction: all of them or none. Entered a second time, nothing changes.
 * @returns those that were not in it
 * @throws LedgerKeptError where the ledger has others already: what it says is the tool's own
 */
export async function enterApplied(client: Client, migrations: readonly Migration[], owner: string): Promise<string[]> {
  if (migrations.length === 0) return [];
  const names = migrations.map(({ name }) => name);
  const ledger = ledgerTable(migrations[0]!.ledger);
  return withMigrationLock(client, async () => {
    const there = (await ledger.rows(client)).map(({ name }) => name);
    if (names.every((name) => there.includes(name))) return [];
    if (there.length > 0) throw new LedgerKeptError(there);
    await atomically(client, async () => {
      await ledger.create(client, owner);
      for (const migration of migrations) {
        const script = upScript(migration);
        await ledger.finish(client, migration.name, script, await ledger.begin(client, migration.name, script, null));
      }
    });
    return names;
  });
}

/** Removes a ledger that holds nothing but what was entered; one with more in it stays, and so do others' tables. */
export async function removeEntered(client: Client, kept: Ledger, names: readonly string[]): Promise<void> {
  const made = MADE[kept];
  if (names.length === 0 || made === undefined) return;
  await withMigrationLock(client, async () => {
    const rows = await ledgerTable(kept).rows(client);
    if (rows.length > 0 && rows.every(({ name, rolledBackAt }) => names.includes(name) && rolledBackAt === null)) await client.query(made);
  });
}
