/** What bringing a schema to a release needs of a PostgreSQL database, over a session in it. */
import type { Client } from "pg";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { SchemaAccess } from "../../shared/migrations/bring.ts";
import { appliedMigrations, applyMigration, ledgerIn, markRolledBack, rollBackMigration } from "../migrations.ts";

/** @param owner of what the scripts make */
export function scriptAccess(
  client: Client,
  definition: SystemDefinition,
  database: string,
  owner: string,
): Omit<SchemaAccess, "admitTool"> {
  return {
    ledger: () => ledgerIn(client, definition, database),
    states: (ledger, known) => appliedMigrations(client, ledger, known),
    apply: (migration) => applyMigration(client, migration, { owner }),
    rollBack: (migration) => rollBackMigration(client, migration, { owner }),
    mark: (migration) => markRolledBack(client, migration),
  };
}
