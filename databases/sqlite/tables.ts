import type { SqlSession } from "../../config/system/sql-session.ts";
import { quote } from "../shared/identifiers.ts";
import type { TableCatalogue } from "../shared/table-catalogue.ts";
import { isLedgerTable } from "../shared/migrations/ledgers/tables.ts";

const TABLES =
  "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

const names = async (session: SqlSession, sql: string, values?: string[]): Promise<string[]> =>
  (await session.all<{ name: string }>(sql, values)).map(({ name }) => name);

export const tables: TableCatalogue = {
  canonical: (table) => table.toLowerCase(),
  bare: (table) => table,
  tableSql: quote,
  ownNumbers: "",
  hasTable: async (session, table) =>
    (await session.all("SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = $1", [table])).length > 0,
  dataTables: async (session) => (await names(session, TABLES)).filter((name) => !isLedgerTable(name)),
  columnsOf: (session, table) => names(session, "SELECT name FROM pragma_table_xinfo($1) WHERE hidden = 0 ORDER BY cid", [table]),
  keyOf: (session, table) => names(session, "SELECT name FROM pragma_table_xinfo($1) WHERE pk > 0 ORDER BY pk", [table]),
};
