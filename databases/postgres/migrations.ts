/** Migrations of a system's schema, kept in the ledger of the tool the system uses. */
import type { Client } from "pg";
import type { Ledger } from "./migrations/ledger.ts";
import { readStates } from "./migrations/run.ts";
import type { Migration } from "./migrations/script.ts";
import type { MigrationState } from "./migrations/status.ts";

export * from "./migrations/errors.ts";
export { ledgerRows, type Ledger, type LedgerRow } from "./migrations/ledger.ts";
export { assertCanGoDown } from "./migrations/plan.ts";
export { applyMigration, markRolledBack, rollBackMigration, type MigrationOutcome, type RunOptions } from "./migrations/run.ts";
export { checksum, downScript, type Migration } from "./migrations/script.ts";
export { isApplied, migrationStates, type MigrationState, type MigrationStatus } from "./migrations/status.ts";

/**
 * State of every known migration, oldest first, then of those only the ledger has. Touches nothing.
 * @example const states = await appliedMigrations(client, "prisma", migrations);
 */
export async function appliedMigrations(client: Client, ledger: Ledger, known: readonly Migration[] = []): Promise<MigrationState[]> {
  return readStates(client, known, ledger);
}
