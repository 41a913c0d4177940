/** Read-only queries of several checks. */
import type { Client } from "pg";
import { DATABASE } from "../database.ts";
import type { CheckContext } from "../../../config/system/check.ts";

export const TABLES = ["panels", "manufacturing_orders", "inspections"] as const;

export async function solar(context: Pick<CheckContext, "database">): Promise<Client> {
  return context.database(DATABASE);
}

/** Whether the constraint of exactly this name and table is validated; null: not found. */
export async function inCatalogue(database: Client, table: string, name: string): Promise<"enforced" | "unvalidated" | "disabled" | null> {
  const { rows } = await database.query<{ validated: boolean; disabled: boolean }>(
    `SELECT c.convalidated AS validated, coalesce(g.tgenabled = 'D', false) AS disabled
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     LEFT JOIN pg_trigger g ON c.contype = 't' AND g.tgconstraint = c.oid
     WHERE n.nspname = 'public' AND t.relname = $1 AND c.conname = $2`,
    [table, name],
  );
  const found = rows[0];
  if (found === undefined) return null;
  return found.disabled ? "disabled" : found.validated ? "enforced" : "unvalidated";
}

export interface TestRow {
  test: string;
  result: string;
  detail: string;
}

/** @param name `test_system_functionality` or `test_data_integrity`. */
export async function tested(
  database: Client,
  name: "test_system_functionality" | "test_data_integrity",
  table: string,
): Promise<TestRow[]> {
  const { rows } = await database.query<TestRow>(
    `SELECT table_name || ': ' || test_name AS test, test_result AS result, detail FROM ${name}($1)`,
    [table],
  );
  return rows;
}
