/** Tables that a definition lists and that exist in no release: a misspelt name changes nothing and is reported. */
import { textOfMigration } from "../databases/shared/migrations/script.ts";
import type { InspectContext } from "../databases/engine.ts";
import { inspectionOf } from "../databases/registry.ts";
import { migrationsOf } from "../databases/shared/migrations/of-definition.ts";
import { catalogueOf, tablesOf } from "../databases/tables.ts";

/** Absent: every table exists, or a migration names it, or the database cannot be read. */
export async function unknownTables(at: InspectContext, database: string): Promise<{ unknownTables?: string[] }> {
  const { engine, tables } = at.definition.databases[database]!;
  const { canonical, bare } = catalogueOf({ engine });
  const present = await presentTables(at, database);
  // A new database gets its tables from its release.
  if (present.length === 0) return {};
  const known = new Set(present.map(canonical));
  const absent = tables.filter((name) => !known.has(canonical(name)));
  if (absent.length === 0) return {};
  const scripts = migrationsOf(at.definition, database).map((migration) => textOfMigration(migration));
  const missing = absent.filter((name) => {
    const word = wordOf(bare(name));
    return !scripts.some((script) => word.test(script));
  });
  return missing.length === 0 ? {} : { unknownTables: missing };
}

function wordOf(name: string): RegExp {
  return new RegExp(`(?<!\\w)${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?!\\w)`, "i");
}

/** None where the database does not exist yet, or is closed. */
async function presentTables(at: InspectContext, database: string): Promise<string[]> {
  try {
    const live = await (await inspectionOf(at, database)).openToRead(at, database);
    return live === null ? [] : await tablesOf(live.session).finally(() => live.end());
  } catch {
    return [];
  }
}
