/** Migrations of a system's schema, kept in the ledger of the tool the system uses. */
import type { Client } from "pg";
import type { Ledger } from "../shared/migrations/ledger.ts";
import { readLedger } from "./migrations/run.ts";
import type { Migration } from "../shared/migrations/script.ts";
import type { MigrationState } from "../shared/migrations/status.ts";

export { ledgerRows } from "./migrations/ledger.ts";
export { detectLedger, ledgerIn } from "./migrations/detect.ts";
export { applyMigration, markRolledBack, readLedger, rollBackMigration, type MigrationOutcome, type RunOptions } from "./migrations/run.ts";

/**
 * State of every known migration, oldest first, then of those only the ledger has. Changes nothing.
 * @example const states = await appliedMigrations(client, "prisma", migrations);
 */
export async function appliedMigrations(client: Client, ledger: Ledger, known: readonly Migration[] = []): Promise<MigrationState[]> {
  return (await readLedger(client, ledger, known)).states;
}
