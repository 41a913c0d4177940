/** What tables look like, asked the same way of every engine. */
import { qualified, quote } from "../postgres/identifiers.ts";
import type { SqlSession } from "../systems/sql-session.ts";

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
