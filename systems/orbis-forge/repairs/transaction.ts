/** Reverts one transaction by its rows in `change_history`, newest first. */
import type { RepairContext, RepairDefinition, RowsChanged } from "../../../config/system/repair.ts";
import type { SqlSession, SqlValue } from "../../../config/system/sql-session.ts";

type Row = Record<string, SqlValue>;

interface Logged extends Record<string, unknown> {
  table_name: string;
  row_id: number;
  operation: "create" | "update" | "delete";
  before: string | null;
  after: string | null;
}

/** The transaction is not in the history, or its rows were changed since: nothing was reverted. */
export class TransactionNotRevertedError extends Error {
  readonly transaction: string;
  constructor(transaction: string, problem: string) {
    super(`transaction ${transaction}: ${problem}; nothing was changed`);
    this.name = "TransactionNotRevertedError";
    this.transaction = transaction;
  }
}

export const transactionRevert: RepairDefinition = {
  title: "One transaction is reverted by the change history",
  arguments: { transaction: { title: "transaction_id in change_history" } },
  readsSnapshot: false,
  run: revert,
};

async function revert({ live, tables, arguments: given }: RepairContext): Promise<Record<string, RowsChanged>> {
  const transaction = given["transaction"] ?? "";
  const logged = await live.all<Logged>(
    "SELECT table_name, row_id, operation, before, after FROM change_history WHERE transaction_id = $1 ORDER BY id DESC",
    [transaction],
  );
  if (logged.length === 0) throw new TransactionNotRevertedError(transaction, "not found in change_history");
  const changed: Record<string, RowsChanged> = {};
  for (const entry of logged) {
    const { table_name: table } = entry;
    if (!tables.includes(table)) throw new TransactionNotRevertedError(transaction, `${table} is no table of this system`);
    const counts = (changed[table] ??= { inserted: 0, updated: 0, deleted: 0 });
    const did = await revertOne(live, transaction, entry);
    if (did !== null) counts[did] += 1;
  }
  const broken = await live.all("PRAGMA foreign_key_check");
  if (broken.length > 0)
    throw new TransactionNotRevertedError(transaction, `without it ${broken.length} rows would have lost their parent`);
  return changed;
}

async function revertOne(live: SqlSession, transaction: string, entry: Logged): Promise<keyof RowsChanged | null> {
  const { table_name: table, row_id: id } = entry;
  const before = entry.before === null ? null : (JSON.parse(entry.before) as Row);
  const after = entry.after === null ? null : (JSON.parse(entry.after) as Row);
  const [now = null] = await live.all<Row>(`SELECT * FROM ${table} WHERE id = $1`, [id]);
  if (alike(now, before)) return null;
  if (!alike(now, after)) throw new TransactionNotRevertedError(transaction, `${table} ${id} was changed again since`);
  if (before === null) {
    await live.run(`DELETE FROM ${table} WHERE id = $1`, [id]);
    return "deleted";
  }
  const columns = Object.keys(before).filter((column) => /^[a-z_]+$/.test(column));
  const values = columns.map((column) => before[column] ?? null);
  if (now === null) {
    await live.run(
      `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(", ")})`,
      values,
    );
    return "inserted";
  }
  await live.run(
    `UPDATE ${table} SET ${columns.map((column, index) => `${column} = $${index + 1}`).join(", ")} WHERE id = $${columns.length + 1}`,
    [...values, id],
  );
  return "updated";
}

function alike(one: Row | null, other: Row | null): boolean {
  if (one === null || other === null) return one === other;
  return Object.keys(other).every((column) => one[column] === other[column]);
}
