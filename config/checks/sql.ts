/** A check that is an SQL file: any row it returns is a violation. */
import { printable } from "../errors.ts";
import type { CheckContext, CheckDefinition, Figures, ViolationQuery } from "../system/check.ts";

/** Rows that are counted at most. */
const COUNTED = 1000;
/** Rows that are shown, and how much of each. */
const SHOWN = 3;
const LONGEST_ROW = 200;
const LONGEST_SHOWN = 2000;

type Query = Omit<ViolationQuery, "limit">;
type Row = Record<string, unknown>;

/** @param shows a query whose first row says what a check that passed has seen; null: none */
export function runSql(query: Query, shows: string | null): CheckDefinition["run"] {
  return async (context: CheckContext) => {
    if (context.violations === undefined) return { status: "failed", detail: "there is no session for SQL files here" };
    const startedAt = performance.now();
    const rows = await context.violations({ ...query, limit: COUNTED + 1 });
    if (rows.length === 0) {
      const leftMs = query.timeoutMs - (performance.now() - startedAt);
      const { detail, figures } = shows === null ? NOTHING_SHOWN : await seenBy(context, { ...query, script: shows, timeoutMs: leftMs });
      return { status: "passed", detail, figures: { ...figures, violations: 0 } };
    }
    const counted = rows.length > COUNTED ? `more than ${COUNTED}` : String(rows.length);
    const shown = rows.slice(0, SHOWN).map(told).join("; ");
    const others = rows.length > SHOWN ? "; …" : "";
    const detail = `${counted} ${rows.length === 1 ? "row violates" : "rows violate"} it: ${shown}${others}`;
    return { status: "failed", detail, figures: { violations: Math.min(rows.length, COUNTED) } };
  };
}

interface Seen {
  detail: string;
  figures: Figures;
}

const NOTHING_SHOWN: Seen = { detail: "no row violates it", figures: {} };

/** Texts as they are, numbers with the name of their column. The check has passed, so a query that fails only shows nothing. */
async function seenBy(context: CheckContext, query: Query): Promise<Seen> {
  try {
    if (query.timeoutMs <= 0) throw new Error("no time was left for it");
    const [row] = await context.violations!({ ...query, writes: false, limit: 1 });
    if (row === undefined) return NOTHING_SHOWN;
    const numbers = Object.entries(row).flatMap(([column, value]) => (isNumber(value) ? [[column, Number(value)] as const] : []));
    const texts = Object.entries(row).map(([column, value]) => (isNumber(value) ? `${column} ${value}` : valueIn(value)));
    return { detail: cut(texts.join(", "), LONGEST_SHOWN), figures: Object.fromEntries(numbers) };
  } catch (error) {
    return {
      ...NOTHING_SHOWN,
      detail: `${NOTHING_SHOWN.detail}; the query of \`shows\` failed: ${cut((error as Error).message, LONGEST_ROW)}`,
    };
  }
}

/** PostgreSQL gives large numbers as text. */
function isNumber(value: unknown): value is number | string {
  return typeof value === "number" || (typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value));
}

function told(row: Row): string {
  return cut(
    Object.entries(row)
      .map(([column, value]) => `${column} ${valueIn(value)}`)
      .join(", "),
    LONGEST_ROW,
  );
}

function cut(text: string, longest: number): string {
  const safe = printable(text);
  return safe.length > longest ? `${safe.slice(0, longest)}…` : safe;
}

function valueIn(value: unknown): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  return typeof value === "string" ? value : JSON.stringify(value);
}
