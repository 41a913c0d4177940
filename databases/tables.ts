/** What tables look like, asked the same way of every engine. */
import type { SqlSession } from "../config/system/sql-session.ts";
import { tables as postgres } from "./postgres/tables.ts";
import { quote } from "./shared/identifiers.ts";
import type { TableCatalogue } from "./shared/table-catalogue.ts";
import { tables as sqlite } from "./sqlite/tables.ts";

const CATALOGUES: Record<SqlSession["engine"], TableCatalogue> = { postgres, sqlite };

export const catalogueOf = ({ engine }: Pick<SqlSession, "engine">): TableCatalogue => CATALOGUES[engine];

/** Quoted for a statement, with its schema where the engine has schemas. */
export function tableSql(session: SqlSession, table: string): string {
  return catalogueOf(session).tableSql(table);
}

/** An INSERT of one row, values `$1`, `$2` … by column. Numbers that the engine would give keep the value they are given. */
export function insertSql(session: SqlSession, table: string, columns: readonly string[]): string {
  const values = columns.map((_, index) => `$${index + 1}`).join(", ");
  return `INSERT INTO ${tableSql(session, table)} (${columns.map(quote).join(", ")})${catalogueOf(session).ownNumbers} VALUES (${values})`;
}

export async function hasTable(session: SqlSession, table: string): Promise<boolean> {
  return catalogueOf(session).hasTable(session, table);
}

/** Every table with rows of its own, partitions as their root: the listed ones that exist first, in their order. Ledgers of migrations are left out. */
export async function tablesOf(session: SqlSession, listed: readonly string[] = []): Promise<string[]> {
  const names = new Map((await catalogueOf(session).dataTables(session)).map((name) => [catalogueOf(session).canonical(name), name]));
  const first = listed.flatMap((table) => names.get(catalogueOf(session).canonical(table)) ?? []);
  return [...new Set([...first, ...names.values()])];
}

/** Columns that can be written. */
export async function columnsOf(session: SqlSession, table: string): Promise<string[]> {
  return catalogueOf(session).columnsOf(session, table);
}

/** Columns of the primary key, in its order; empty without one. */
export async function keyOf(session: SqlSession, table: string): Promise<string[]> {
  return catalogueOf(session).keyOf(session, table);
}

/** Rows per table; tables that do not exist are left out. */
export async function countTables(session: SqlSession, tables: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of tables) {
    if (!(await hasTable(session, table))) continue;
    const [counted] = await session.all<{ rows: number | string }>(`SELECT count(*) AS rows FROM ${tableSql(session, table)}`);
    counts[table] = Number(counted?.rows);
  }
  return counts;
}
