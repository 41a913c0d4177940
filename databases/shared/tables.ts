/** What tables look like, asked the same way of every engine. */
import { IS_DATA, NOT_DATA, READABLE } from "../postgres/comparison-shape.ts";
import { canonicalTable, qualified, quote, tableNameSql } from "../postgres/identifiers.ts";
import { LEDGERS } from "../sqlite/shape.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";

/** Quoted for a statement, with its schema where the engine has schemas. */
export function tableSql(session: SqlSession, table: string): string {
  return session.engine === "postgres" ? qualified(table) : quote(table);
}

export async function hasTable(session: SqlSession, table: string): Promise<boolean> {
  const rows =
    session.engine === "postgres"
      ? await session.all("SELECT 1 AS found WHERE to_regclass($1) IS NOT NULL", [qualified(table)])
      : await session.all("SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = $1", [table]);
  return rows.length > 0;
}

/** Every table with rows of its own, partitions as their root: the listed ones that are there first, in their order. Ledgers of migrations are none. */
export async function tablesOf(session: SqlSession, listed: readonly string[] = []): Promise<string[]> {
  const found =
    session.engine === "postgres"
      ? (await session.all<{ name: string }>(DATA_TABLES)).filter(({ name }) => !NOT_DATA.has(name))
      : (await session.all<{ name: string }>(FILE_TABLES)).filter(({ name }) => !LEDGERS.includes(name));
  const names = new Set(found.map(({ name }) => name));
  const first = listed.map((table) => (session.engine === "postgres" ? canonicalTable(table) : table)).filter((table) => names.has(table));
  return [...new Set([...first, ...names])];
}

const DATA_TABLES = `SELECT ${tableNameSql("n.nspname", "c.relname")} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${IS_DATA} AND ${READABLE} ORDER BY n.nspname = 'public' DESC, 1`;

const FILE_TABLES =
  "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/** Columns that can be written. */
export async function columnsOf(session: SqlSession, table: string): Promise<string[]> {
  const rows =
    session.engine === "postgres"
      ? await session.all<{ name: string }>(
          "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
          [qualified(table)],
        )
      : await session.all<{ name: string }>("SELECT name FROM pragma_table_xinfo($1) WHERE hidden = 0 ORDER BY cid", [table]);
  return rows.map(({ name }) => name);
}

/** Columns of the primary key, in its order; none where there is no key. */
export async function keyOf(session: SqlSession, table: string): Promise<string[]> {
  const rows =
    session.engine === "postgres"
      ? await session.all<{ name: string }>(
          `SELECT a.attname AS name FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY k.place`,
          [qualified(table)],
        )
      : await session.all<{ name: string }>("SELECT name FROM pragma_table_xinfo($1) WHERE pk > 0 ORDER BY pk", [table]);
  return rows.map(({ name }) => name);
}

/** Tables that are not there are left out. */
export async function countTables(session: SqlSession, tables: string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of tables) {
    if (!(await hasTable(session, table))) continue;
    const [counted] = await session.all<{ rows: number | string }>(`SELECT count(*) AS rows FROM ${tableSql(session, table)}`);
    counts[table] = Number(counted?.rows);
  }
  return counts;
}
