/** Rows of tables that only ever grow (audit trails) outlive a restore: those written since are put into the data that takes over. */
import { quote } from "../databases/shared/identifiers.ts";
import type { ExactValue, SqlSession } from "../config/system/sql-session.ts";
import { copiesOf } from "../databases/registry.ts";
import { inLive } from "./sessions.ts";
import type { Run } from "../config/run.ts";
import { columnsOf, hasTable, insertSql, keyOf, tableSql } from "../databases/tables.ts";

/** Rows read at a time. */
const PAGE = 500;

type Row = Record<string, ExactValue>;

/** A second time there is nothing left to do. @returns rows put in */
export async function carryOver(from: SqlSession, to: SqlSession, table: string): Promise<number> {
  if (!(await hasTable(from, table)) || !(await hasTable(to, table))) return 0;
  const [key, ...more] = await keyOf(to, table);
  if (key === undefined || more.length > 0)
    throw new Error(`${table} needs a key of one column: rows written since are not found without it`);
  const there = await columnsOf(to, table);
  const columns = (await columnsOf(from, table)).filter((column) => there.includes(column));
  const list = columns.map(quote).join(", ");
  const insert = `${insertSql(to, table, columns)} ON CONFLICT DO NOTHING`;
  let carried = 0;
  for (let after: ExactValue = null; ;) {
    const rows: Row[] = await from.exact<Row>(
      `SELECT ${list} FROM ${tableSql(from, table)} ${after === null ? "" : `WHERE ${quote(key)} > $1`} ORDER BY ${quote(key)} LIMIT ${PAGE}`,
      after === null ? [] : [after],
    );
    for (const row of rows)
      carried += await to.run(
        insert,
        columns.map((column) => row[column] ?? null),
      );
    const last: Row | undefined = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return carried;
    after = last[key] ?? null;
  }
}

/** All of them in one transaction, without the triggers of the tables: what these did once is among the records, or in data that was set aside. */
export async function carryTables(from: SqlSession, to: SqlSession, tables: readonly string[]): Promise<Record<string, number>> {
  return to.transaction(async () => {
    const there: string[] = [];
    for (const table of tables) if (await hasTable(to, table)) there.push(table);
    return to.quietly(there, async () => {
      const carried: Record<string, number> = {};
      for (const table of tables) carried[table] = await carryOver(from, to, table);
      return carried;
    });
  });
}

async function staysBehind(from: SqlSession, to: SqlSession, table: string): Promise<string[]> {
  const there = await columnsOf(to, table);
  return (await columnsOf(from, table)).filter((column) => !there.includes(column));
}

/** From what this rollout set aside into what is live now. What is too damaged to be read stands in quarantine all the same. */
export async function carryOverRecords(run: Run, database: string): Promise<Record<string, number>> {
  const tables = run.definition.databases[database]?.appendOnly ?? [];
  const quarantine = (await run.state.catalogued()).find(
    (entry) => entry.role === "quarantine" && entry.database === database && entry.epoch === run.epoch,
  );
  if (tables.length === 0 || quarantine === undefined) return {};
  try {
    const copies = await copiesOf(run, database);
    return await copies.inCopy(run, quarantine, (from) =>
      inLive(run, database, async (to) => {
        const carried = await carryTables(from, to, tables);
        for (const table of tables) {
          const behind = carried[table] === 0 ? [] : await staysBehind(from, to, table);
          if (behind.length > 0)
            run.log(
              "warning",
              `${database}: ${table}: the restored schema has no column ${behind.join(", ")}: its values are in the export only`,
            );
        }
        return carried;
      }),
    );
  } catch (error) {
    run.log("warning", `rows of ${tables.join(", ")} written since could not be put into the restored data: ${(error as Error).message}`);
    return {};
  }
}
