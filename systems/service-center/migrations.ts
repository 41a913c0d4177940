/** What the ledger says of the system's migrations. */
import { join } from "node:path";
import type { Client } from "pg";
import { appliedMigrations } from "../../databases/postgres/migrations.ts";
import { type MigrationState } from "../../databases/shared/migrations/status.ts";
import { serviceCenterDatabase } from "./database.ts";

export function migrationStatesOf(client: Client): Promise<MigrationState[]> {
  const ledger = "supabase";
  return appliedMigrations(
    client,
    ledger,
    serviceCenterDatabase.migrations.map(({ name, path }) => ({ name, folder: join(import.meta.dirname, path), ledger })),
  );
}
