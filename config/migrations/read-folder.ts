/** Reads a folder of migrations, whatever tool it was made for. */
import { readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Folder, Read } from "./folder.ts";
import { alembic, django, drizzle, programs, rails } from "./tool-files.ts";
import { sqlFiles, subfolders } from "./sql-files.ts";

/** In the order in which they are tried: a folder may hold what another tool would take for its own. */
const READERS: readonly ((at: Folder) => Read | null)[] = [drizzle, subfolders, sqlFiles, alembic, django, rails, programs];

/** What a folder may hold, for the message that refuses one. */
const LAYOUTS =
  "folders with migration.sql (Prisma) or up.sql and down.sql; V1__name.sql (Flyway); 1_name.up.sql (golang-migrate); 1_name.sql, plain or with the " +
  "sections of dbmate or goose; Drizzle's meta/_journal.json; migrations of Alembic, Django, Rails, Knex, TypeORM, Sequelize or node-pg-migrate";

/** There is no folder of migrations, or none that a reader knows. */
export class MigrationFolderError extends Error {
  readonly folder: string;
  constructor(folder: string, reason: string) {
    super(`${folder}: ${reason}. It must hold one of: ${LAYOUTS}`);
    this.name = "MigrationFolderError";
    this.folder = folder;
  }
}

/**
 * The migrations in a folder, oldest first, and how it is laid out.
 * @param system absolute path of the system's folder; the paths of the result are relative to it
 * @param folder relative to `system`, or absolute
 * @throws MigrationFolderError
 * @example readMigrations("/srv/shop", "db/migrations").migrations.at(-1)?.name // "V3__orders"
 */
export function readMigrations(system: string, folder: string): Read {
  const path = resolve(system, folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw new MigrationFolderError(path, "there is no such folder");
  const entries = readdirSync(path, { withFileTypes: true });
  const names = (folders: boolean): string[] =>
    entries
      .filter((entry) => entry.isDirectory() === folders)
      .map(({ name }) => name)
      .sort();
  const at: Folder = { path, files: names(false), folders: names(true), relative: (inside) => relative(system, join(path, inside)) };
  for (const read of READERS) {
    const found = read(at);
    if (found !== null) return found;
  }
  throw new MigrationFolderError(path, "no migrations found");
}
