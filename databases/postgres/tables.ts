import type { SqlSession } from "../../config/system/sql-session.ts";
import { canonicalTable, parseTable, qualified, tableNameSql } from "../shared/identifiers.ts";
import type { TableCatalogue } from "../shared/table-catalogue.ts";
import { isLedgerTable } from "../shared/migrations/ledgers/tables.ts";
import { IS_DATA, READABLE } from "./comparison-shape.ts";

const DATA_TABLES = `SELECT ${tableNameSql("n.nspname", "c.relname")} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${IS_DATA} AND ${READABLE} ORDER BY n.nspname = 'public' DESC, 1`;

const COLUMNS =
  "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum";

const KEY = `SELECT a.attname AS name FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY k.place`;

const names = async (session: SqlSession, sql: string, values?: string[]): Promise<string[]> =>
  (await session.all<{ name: string }>(sql, values)).map(({ name }) => name);

export const tables: TableCatalogue = {
  canonical: canonicalTable,
  bare: (table) => parseTable(table).table,
  tableSql: qualified,
  ownNumbers: " OVERRIDING SYSTEM VALUE",
  hasTable: async (session, table) =>
    (await session.all("SELECT 1 AS found WHERE to_regclass($1) IS NOT NULL", [qualified(table)])).length > 0,
  dataTables: async (session) => (await names(session, DATA_TABLES)).filter((name) => !isLedgerTable(name)),
  columnsOf: (session, table) => names(session, COLUMNS, [qualified(table)]),
  keyOf: (session, table) => names(session, KEY, [qualified(table)]),
};
