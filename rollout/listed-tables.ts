/** Tables that a definition names: one that no release has, spelt nearly like one that some release has, is refused; any other is reported. */
import { ConfigError, suggestion } from "../config/errors.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { MissingScriptError } from "../databases/shared/migrations/errors.ts";
import { textOfMigration } from "../databases/shared/migrations/script.ts";
import type { InspectContext } from "../databases/engine.ts";
import { inspectionOf } from "../databases/registry.ts";
import { migrationsOf } from "../databases/shared/migrations/of-definition.ts";
import { catalogueOf, tablesOf } from "../databases/tables.ts";

/** Absent: every table exists, or a migration names it, or the database cannot be read. */
export async function unknownTables(at: InspectContext, database: string): Promise<{ unknownTables?: string[] }> {
  const { unknown, present } = await strangers(at, database, at.definition.databases[database]!.tables);
  // A new database gets its tables from its release.
  return unknown.length === 0 || present.length === 0 ? {} : { unknownTables: unknown };
}

/** Tables of the definition that must be misspelt, one sentence each with path and value. */
export async function misspeltTables(at: InspectContext): Promise<string[]> {
  const reasons: string[] = [];
  for (const [database, named] of Map.groupBy(namedTables(at.definition), (one) => one.database)) {
    if (!Object.hasOwn(at.definition.databases, database)) continue;
    const { unknown, present, made } = await strangers(
      at,
      database,
      named.map(({ table }) => table),
    );
    const { bare } = catalogueOf(at.definition.databases[database]!);
    const known = [...new Set([...present.map(bare), ...made])];
    for (const { path, table } of named) {
      const near = unknown.includes(table) ? suggestion(bare(table), known) : "";
      if (near === "") continue;
      const allowed = `neither ${database} nor a migration of it has this table, only ${known.join(", ")}${near}`;
      reasons.push(new ConfigError(`definition.${path}`, table, allowed).message);
    }
  }
  return reasons;
}

interface NamedTable {
  path: string;
  database: string;
  table: string;
}

function namedTables(definition: SystemDefinition): NamedTable[] {
  const { databases, flags, effects, protections = [], auditEntry, constraints = {}, constraintRecords, actions = {} } = definition;
  const listed = (path: string, database: string, tables: readonly string[]): NamedTable[] =>
    tables.map((table, index) => ({ path: `${path}.${index}`, database, table }));
  return [
    ...Object.entries(databases).flatMap(([database, { tables, appendOnly = [], principalTable }]) => [
      ...listed(`databases.${database}.tables`, database, tables),
      ...listed(`databases.${database}.appendOnly`, database, appendOnly),
      ...(principalTable === "" ? [] : [{ path: `databases.${database}.principalTable`, database, table: principalTable }]),
    ]),
    ...(flags === undefined ? [] : [{ path: "flags.requiresTable", database: flags.database, table: flags.requiresTable }]),
    ...effects.map(({ database, requiresTable: table }, index) => ({ path: `effects.${index}.requiresTable`, database, table })),
    ...protections.map(({ database, requiresTable: table }, index) => ({ path: `protections.${index}.requiresTable`, database, table })),
    ...(auditEntry === undefined ? [] : [{ path: "auditEntry.table", database: auditEntry.database, table: auditEntry.table }]),
    ...Object.entries(constraints).map(([name, { database, table }]) => ({ path: `constraints.${name}.table`, database, table })),
    ...(constraintRecords === undefined
      ? []
      : [{ path: "constraintRecords.requiresTable", database: constraintRecords.database, table: constraintRecords.requiresTable }]),
    ...Object.entries(actions).flatMap(([name, { database, keeps }]) => listed(`actions.${name}.keeps`, database, keeps)),
  ];
}

interface Strangers {
  /** In no migration and not in the database. */
  unknown: string[];
  /** Tables of the database; only asked where a migration does not name one. */
  present: string[];
  /** Tables that migrations make, as far as their text says so. */
  made: string[];
}

async function strangers(at: InspectContext, database: string, names: readonly string[]): Promise<Strangers> {
  const { canonical, bare } = catalogueOf(at.definition.databases[database]!);
  const scripts = scriptsOf(at, database);
  const nothing = { unknown: [], present: [], made: [] };
  if (scripts === null) return nothing;
  const unnamed = [...new Set(names)].filter((name) => !scripts.some((script) => wordOf(bare(name)).test(script)));
  if (unnamed.length === 0) return nothing;
  const present = await presentTables(at, database);
  const known = new Set(present.map(canonical));
  return {
    unknown: unnamed.filter((name) => !known.has(canonical(name))),
    present,
    made: [...new Set(scripts.flatMap((script) => [...script.matchAll(MAKES)].map(([, name]) => name!)))],
  };
}

/** Null where a script is missing: another refusal reports it. */
function scriptsOf(at: InspectContext, database: string): string[] | null {
  try {
    return migrationsOf(at.definition, database).map((migration) => textOfMigration(migration));
  } catch (error) {
    if (error instanceof MissingScriptError) return null;
    throw error;
  }
}

/** `CREATE TABLE orders`, and as programs write it: `create_table :orders`, `createTable("orders")`. */
const MAKES = /\bcreate[\s_]*table(?:\s+if\s+not\s+exists)?[\s(:"'`[]+(?:\w+["`]?\.["`]?)?(\w+)/gi;

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
