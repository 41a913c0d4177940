/** Migrations of a definition with absolute folders. */
import { join } from "node:path";
import type { Migration } from "../postgres/migrations.ts";
import type { SystemDefinition } from "../systems/definition.ts";

export function migrationsOf(definition: SystemDefinition, database: string): Migration[] {
  const described = definition.databases[database];
  return (described?.migrations ?? []).map(({ name, path }) => ({
    name,
    folder: join(definition.folder, path),
    ledger: described!.ledger,
  }));
}
