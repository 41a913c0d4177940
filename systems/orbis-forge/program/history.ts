/** What was done by whom: a row of `governance_logs` and one of `change_history` for every row that changed, in the transaction that changes it. */
import { randomUUID } from "node:crypto";
import type { SqlSession, SqlValue } from "../../../config/system/sql-session.ts";
import type { User } from "./users.ts";

export type Row = Record<string, SqlValue>;

export interface Change {
  table: string;
  rowId: number;
  /** Code of the project it belongs to. */
  code: string | null;
  operation: "create" | "update" | "delete";
  before: Row | null;
  after: Row | null;
}

export const now = (): string => new Date().toISOString();

/** @returns the id under which all of these changes can be found and reverted. */
export async function writeHistory(session: SqlSession, user: User, action: string, changes: readonly Change[]): Promise<string> {
  const transactionId = `tx-${randomUUID()}`;
  const at = now();
  const first = changes[0];
  await session.run(
    `INSERT INTO governance_logs (timestamp, event_type, user_id, user_role, resource_type, resource_id, action, success, details, runtime_context)
     VALUES ($1, 'data_change', $2, $3, $4, $5, $6, 1, $7, '{}')`,
    [
      at,
      user.userId,
      user.role,
      first?.table ?? null,
      first?.code ?? null,
      action,
      JSON.stringify({ transactionId, rows: changes.length, codes: changes.slice(0, 20).map(({ code }) => code) }),
    ],
  );
  const [log] = await session.all<{ id: number }>("SELECT last_insert_rowid() AS id");
  for (const { table, rowId, code, operation, before, after } of changes)
    await session.run(
      `INSERT INTO change_history (governance_log_id, changed_at, changed_by, transaction_id, table_name, row_id, row_code, operation, before, after)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [log?.id ?? null, at, user.userId, transactionId, table, rowId, code, operation, text(before), text(after)],
    );
  return transactionId;
}

function text(row: Row | null): string | null {
  return row === null ? null : JSON.stringify(row);
}
