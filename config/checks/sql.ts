/** A check that is an SQL file: any row it returns is a violation. */
import { printable } from "../errors.ts";
import type { CheckContext, CheckDefinition, ViolationQuery } from "../system/check.ts";

/** Rows that are counted at most. */
const COUNTED = 1000;
/** Rows that are shown, and how much of each. */
const SHOWN = 3;
const LONGEST_ROW = 200;

export function runSql(query: Omit<ViolationQuery, "limit">): CheckDefinition["run"] {
  return async (context: CheckContext) => {
    if (context.violations === undefined) return { status: "failed", detail: "there is no session for SQL files here" };
    const rows = await context.violations({ ...query, limit: COUNTED + 1 });
    if (rows.length === 0) return { status: "passed", detail: "no row violates it", figures: { violations: 0 } };
    const counted = rows.length > COUNTED ? `more than ${COUNTED}` : String(rows.length);
    const shown = rows.slice(0, SHOWN).map(told).join("; ");
    const others = rows.length > SHOWN ? "; …" : "";
    const detail = `${counted} ${rows.length === 1 ? "row violates" : "rows violate"} it: ${shown}${others}`;
    return { status: "failed", detail, figures: { violations: Math.min(rows.length, COUNTED) } };
  };
}

function told(row: Record<string, unknown>): string {
  const text = printable(
    Object.entries(row)
      .map(([column, value]) => `${column} ${valueIn(value)}`)
      .join(", "),
  );
  return text.length > LONGEST_ROW ? `${text.slice(0, LONGEST_ROW)}…` : text;
}

function valueIn(value: unknown): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  return typeof value === "string" ? value : JSON.stringify(value);
}
