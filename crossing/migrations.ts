/** Migrations of a definition with absolute folders. */
import { join } from "node:path";
import type { SystemDefinition } from "../systems/definition.ts";

export function migrationsOf(definition: SystemDefinition, database: string): { name: string; folder: string }[] {
  return (definition.databases[database]?.migrations ?? []).map(({ name, path }) => ({ name, folder: join(definition.folder, path) }));
}
