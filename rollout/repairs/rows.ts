/** The repair every database has: rows named one by one go back to what they were in a snapshot. */
import { quote } from "../../databases/shared/identifiers.ts";
import type { RepairContext, RowsChanged } from "../../config/system/repair.ts";
import type { ExactValue, SqlSession } from "../../config/system/sql-session.ts";
import { columnsOf, hasTable, insertSql, keyOf, tableSql } from "../../databases/tables.ts";

export interface RowName {
  table: string;
  /** Value of the primary key, as text. */
  key: string;
}

/** A selection cannot be understood, or names what is not there. */
export class RowSelectionError extends Error {
  readonly selection: string;
  constructor(selection: string, problem: string) {
    super(`rows "${selection}": ${problem}; write them as <table>/<key>, separated by commas. Nothing was changed`);
    this.name = "RowSelectionError";
    this.selection = selection;
  }
}

/** `orders/12, customers/3`. @throws RowSelectionError */
export function parseRows(selection: string, tables: readonly string[]): RowName[] {
  const names = selection
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (names.length === 0) throw new RowSelectionError(selection, "names no row");
  return names.map((name) => {
    const at = name.indexOf("/");
    const [table, key] = [name.slice(0, at), name.slice(at + 1)];
    if (at < 1 || key === "") throw new RowSelectionError(selection, `"${name}" names no row`);
    if (!tables.includes(table)) throw new RowSelectionError(selection, `there is no table ${table}, only ${tables.join(", ")}`);
    return { table, key };
  });
}

export async function restoreRows({ live, snapshot, tables, arguments: given }: RepairContext): Promise<Record<string, RowsChanged>> {
  const selection = given["rows"] ?? "";
  if (snapshot === null) throw new RowSelectionError(selection, "no snapshot is named to take them from");
  const changed: Record<string, RowsChanged> = {};
  for (const row of parseRows(selection, tables)) {
    const counts = (changed[row.table] ??= { inserted: 0, updated: 0, deleted: 0 });
    const did = await restoreRow(live, snapshot, row, selection);
    if (did !== null) counts[did] += 1;
  }
  return changed;
}

type Row = Record<string, ExactValue>;

async function restoreRow(
  live: SqlSession,
  snapshot: SqlSession,
  { table, key }: RowName,
  selection: string,
): Promise<keyof RowsChanged | null> {
  for (const [session, where] of [
    [live, "the live database"],
    [snapshot, "the snapshot"],
  ] as const)
    if (!(await hasTable(session, table))) throw new RowSelectionError(selection, `${where} has no table ${table}`);
  const primary = await keyOf(live, table);
  const [column] = primary;
  if (column === undefined || primary.length > 1)
    throw new RowSelectionError(selection, `${table} has ${primary.length} key columns: a row cannot be named by one value`);
  const now = await rowOf(live, table, column, key);
  const then = await rowOf(snapshot, table, column, key);
  if (now === null && then === null)
    throw new RowSelectionError(selection, `${table}/${key} is neither in the live data nor in the snapshot`);
  const name = tableSql(live, table);
  if (then === null) {
    await live.run(`DELETE FROM ${name} WHERE ${quote(column)} = $1`, [now![column] ?? null]);
    return "deleted";
  }
  // What the newer schema added keeps its default, or its value.
  const columns = (await columnsOf(live, table)).filter((one) => one in then);
  if (now === null) {
    await live.run(
      insertSql(live, table, columns),
      columns.map((one) => then[one] ?? null),
    );
    return "inserted";
  }
  const differing = columns.filter((one) => !same(now[one], then[one]));
  if (differing.length === 0) return null;
  await live.run(
    `UPDATE ${name} SET ${differing.map((one, index) => `${quote(one)} = $${index + 1}`).join(", ")} WHERE ${quote(column)} = $${differing.length + 1}`,
    [...differing.map((one) => then[one] ?? null), now[column] ?? null],
  );
  return "updated";
}

function same(one: ExactValue | undefined, other: ExactValue | undefined): boolean {
  // An integer beyond 2^53 is no number, and JSON has no text for it.
  const text = (value: ExactValue | undefined): string =>
    JSON.stringify(value ?? null, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
  return text(one) === text(other);
}

async function rowOf(session: SqlSession, table: string, column: string, key: string): Promise<Row | null> {
  const rows = await session.exact<Row>(`SELECT * FROM ${tableSql(session, table)} WHERE CAST(${quote(column)} AS text) = $1`, [key]);
  return rows[0] ?? null;
}
