/** What is in a database, small enough to keep and exact enough to compare: rows and checksum of each table, and every object by its definition. */
import type pg from "pg";
import type { ExtensionRelation, TableManifest, Manifest } from "./manifest-shape.ts";
import { canonicalTable, partSql, quote, tableNameSql } from "../shared/identifiers.ts";

export { compareManifests, compareRestored } from "./manifest-differences.ts";
export { type ExtensionRelation } from "./manifest-shape.ts";
export { estimateChanges, quickStatistics } from "./statistics.ts";

export interface ManifestOptions {
  /** Schemas to leave out. None by default. */
  excludeSchemas?: readonly string[];
}

/** A table that was asked for does not exist. */
export class TableMissingError extends Error {
  readonly table: string;
  constructor(table: string) {
    super(`there is no table "${table}" in this database`);
    this.name = "TableMissingError";
    this.table = table;
  }
}

const USER_SCHEMAS = `n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND NOT (n.nspname = ANY ($1::text[]))`;
const NAME = (relation: string): string => tableNameSql("n.nspname", relation);

/** Each yields `name` and `value`; `$1` are the schemas left out. */
const DEFINITIONS = {
  sequences: `SELECT ${tableNameSql("schemaname", "sequencename")} AS name, last_value::text AS value
    FROM pg_sequences WHERE NOT (schemaname = ANY ($1::text[]))`,
  constraints: `SELECT ${NAME("c.relname")} || '.' || ${partSql("k.conname")} AS name, pg_get_constraintdef(k.oid) AS value
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${USER_SCHEMAS}`,
  indexes: `SELECT ${NAME("c.relname")} AS name, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END AS value
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${USER_SCHEMAS}`,
  triggers: `SELECT ${NAME("c.relname")} || '.' || ${partSql("t.tgname")} AS name, pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' ENABLED ' || t.tgenabled::text END AS value
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND ${USER_SCHEMAS}`,
  policies: `SELECT ${NAME("p.tablename")} || '.' || ${partSql("p.policyname")} AS name,
      concat_ws(' ', p.permissive, p.cmd, 'TO', array_to_string(p.roles, ','), 'USING', p.qual, 'CHECK', p.with_check) AS value
    FROM pg_policies p JOIN pg_namespace n ON n.nspname = p.schemaname WHERE ${USER_SCHEMAS}`,
  views: `SELECT ${NAME("c.relname")} AS name, pg_get_viewdef(c.oid) AS value
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND ${USER_SCHEMAS}`,
  functions: `SELECT ${NAME("f.proname")} || '(' || pg_get_function_identity_arguments(f.oid) || ')' AS name, CASE WHEN to_jsonb(f) ->> 'prosqlbody' IS NULL THEN md5(pg_get_functiondef(f.oid)) ELSE pg_get_functiondef(f.oid) END AS value
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace WHERE f.prokind IN ('f', 'p') AND ${USER_SCHEMAS}
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')`,
  extensions: `SELECT e.extname AS name, e.extversion AS value FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE NOT (n.nspname = ANY ($1::text[]))`,
  columns: `SELECT ${NAME("c.relname")} || '.' || ${partSql("a.attname")} AS name, concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
      CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::text END,
      CASE WHEN a.attgenerated <> '' THEN 'GENERATED ' || a.attgenerated::text ELSE 'DEFAULT' END || ' ' || pg_get_expr(d.adbin, d.adrelid)) AS value
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${USER_SCHEMAS}`,
} as const;

interface Relation {
  schema: string;
  relation: string;
  name: string;
  kind: "r" | "p" | "m";
  populated: boolean;
  /** Columns by name where the table inherits some: a dump brings those back first, wherever they stood. Null: in the order they stand in. */
  columns: string[] | null;
  enabled: boolean;
  forced: boolean;
}

const RELATIONS_SQL = `
  SELECT n.nspname AS schema, c.relname AS relation, ${NAME("c.relname")} AS name, c.relkind::text AS kind, c.relispopulated AS populated,
    CASE WHEN NOT c.relispartition AND EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = c.oid) THEN
      ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname) END AS columns,
    c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm') AND ${USER_SCHEMAS} ORDER BY name`;

/**
 * Captures the manifest of the database the session is in, as of one moment.
 * @param tables tables to count and hash; all by default. Definitions are always captured whole
 * @throws TableMissingError
 */
export async function captureManifest(
  client: pg.Client,
  tables?: readonly string[],
  { excludeSchemas = [] }: ManifestOptions = {},
): Promise<Manifest> {
  return inSnapshot(client, async () => {
    const relations = (await client.query<Relation>(RELATIONS_SQL, [excludeSchemas])).rows;
    const definitions = {} as Record<keyof typeof DEFINITIONS, Record<string, string>>;
    for (const [section, sql] of Object.entries(DEFINITIONS) as [keyof typeof DEFINITIONS, string][]) {
      definitions[section] = await readDefinitions(client, sql, excludeSchemas);
    }
    const ordinary = relations.filter(({ kind }) => kind !== "m");
    return {
      ...definitions,
      tables: await countTables(client, chosen(ordinary, tables)),
      rowSecurity: Object.fromEntries(
        ordinary.filter(({ enabled, forced }) => enabled || forced).map(({ name, enabled, forced }) => [name, { enabled, forced }]),
      ),
      materializedViews: await countViews(
        client,
        relations.filter(({ kind }) => kind === "m"),
      ),
    };
  });
}

/** Tables and views that belong to an extension. */
export async function extensionRelations(client: pg.Client): Promise<ExtensionRelation[]> {
  const { rows } = await client.query<ExtensionRelation>(
    `SELECT ${NAME("c.relname")} AS name, e.extname AS extension FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
     JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'`,
  );
  return rows;
}

/** A partitioned table counts through its partitions, unless it is asked for by name. */
function chosen(ordinary: Relation[], tables: readonly string[] | undefined): Relation[] {
  if (tables === undefined) return ordinary.filter(({ kind }) => kind === "r");
  return tables.map((table) => {
    const wanted = canonicalTable(table);
    const found = ordinary.find(({ name }) => name === wanted);
    if (found === undefined) throw new TableMissingError(table);
    return found;
  });
}

/** One snapshot for all queries; in the caller's transaction where there is one. Row security that would hide rows is an error instead. */
async function inSnapshot<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  const { rows } = await client.query<{ open: boolean }>("SELECT now() <> statement_timestamp() AS open");
  if (rows[0]?.open) return work();
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    await client.query("SET LOCAL row_security = off");
    return await work();
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}

async function readDefinitions(client: pg.Client, sql: string, excluded: readonly string[]): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; value: string }>(`${sql} ORDER BY 1`, [excluded]);
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** @param digested digests in place of long values; null: as the row is */
function countSql({ schema, relation, kind, columns }: Relation, digested: string[] | null): string {
  // The alias must not be the name of a column: that would win over the row.
  const source = `${kind === "r" ? "ONLY " : ""}${quote(schema)}.${quote(relation)} AS "backout whole row"`;
  const values = digested ?? columns?.map(columnSql);
  const row = values === undefined ? '"backout whole row"' : `ROW(${values.join(", ")})`;
  return `SELECT count(*)::float8 AS rows, coalesce(sum(hashtextextended(${row}::text, 0)::numeric), 0)::text AS checksum FROM ${source}`;
}

async function countTables(client: pg.Client, relations: Relation[]): Promise<Record<string, TableManifest>> {
  const result: Record<string, TableManifest> = {};
  for (const relation of relations) {
    result[relation.name] = await countTable(client, relation);
  }
  return result;
}

/** A string of the server's holds less than a gigabyte: of a row that is longer, long values are hashed one by one. */
async function countTable(client: pg.Client, relation: Relation): Promise<TableManifest> {
  await client.query("SAVEPOINT whole_rows");
  try {
    return (await client.query<TableManifest>(countSql(relation, null))).rows[0]!;
  } catch (error) {
    if (!isTooLong(error)) throw error;
    await client.query("ROLLBACK TO SAVEPOINT whole_rows");
    const { rows } = await client.query<{ name: string; wide: boolean }>(COLUMNS_SQL, [relation.schema, relation.relation]);
    const digested = rows.map(({ name, wide }) => (wide ? `md5(${columnSql(name)})` : columnSql(name)));
    return (await client.query<TableManifest>(countSql(relation, digested))).rows[0]!;
  } finally {
    await client.query("RELEASE SAVEPOINT whole_rows").catch(() => undefined);
  }
}

/** What the server says of a string that it cannot make: `program_limit_exceeded`, or an internal error of its memory. */
function isTooLong(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === "54000" || (code === "XX000" && message?.startsWith("invalid memory alloc request size") === true);
}

/** In an order that does not depend on how a copy was made. */
const COLUMNS_SQL = `SELECT a.attname::text AS name, a.atttypid IN ('bytea'::regtype, 'text'::regtype, 'varchar'::regtype) AS wide
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname`;

function columnSql(column: string): string {
  return `"backout whole row".${quote(column)}`;
}

async function countViews(client: pg.Client, relations: Relation[]): Promise<Manifest["materializedViews"]> {
  const result: Manifest["materializedViews"] = {};
  for (const { schema, relation, name, populated } of relations) {
    const counted = populated
      ? await client.query<{ rows: number }>(`SELECT count(*)::float8 AS rows FROM ${quote(schema)}.${quote(relation)}`)
      : null;
    result[name] = { rows: counted?.rows[0]?.rows ?? null, populated };
  }
  return result;
}
