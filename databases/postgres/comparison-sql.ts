/** The queries of a comparison. Both sides get the same expressions, so equal rows have equal text and equal hashes. */
import { quote } from "../shared/identifiers.ts";
import { escapedSql } from "./any-bytes.ts";
import { digested, exportable, leftOutSql } from "./comparison-large.ts";
import { type TablePlan, type TableShape } from "./comparison-shape.ts";
import { columnOf } from "../shared/comparison.ts";

/**
 * Parentheses and commas of a row's text are escaped by the server, so different values never have the same text. Works for types without
 * equality (json, xml, point).
 */
function rowText(values: readonly string[]): string {
  return `ROW(${values.join(", ")})::text`;
}

function columns(plan: TablePlan, side: TableShape, names: readonly string[]): string[] {
  return names.map((name) => `t.${quote(columnOf(plan, side, name))}`);
}

/** As columns, with a digest in the place of a large value. */
function values(plan: TablePlan, side: TableShape, names: readonly string[]): string[] {
  const shapes = new Map(side.columns.map((column) => [column.name, column]));
  return names.map((name) => columnOf(plan, side, name)).map((name) => digested(plan, shapes.get(name)!, `t.${quote(name)}`));
}

/** What a row holds, comparable on both sides: columns of both, and what was filled into those that the current side alone has. */
function content(plan: TablePlan, side: TableShape): string {
  return rowText([...values(plan, side, plan.compared), ...plan.newColumns.map((name) => filled(plan, side, name))]);
}

/** NULL where nobody filled the column in, as on the side that does not have it. */
function filled(plan: TablePlan, side: TableShape, name: string): string {
  const column = side === plan.base ? undefined : side.columns.find((one) => one.name === name);
  if (column === undefined || column.generated) return "NULL::text";
  const text = digested(plan, column, `t.${quote(name)}::text`);
  const differs = column.unfilled.map((value) => `${text} IS DISTINCT FROM ${value}`).join(" AND ");
  return `CASE WHEN ${differs} THEN coalesce('=' || ${text}, 'NULL') END`;
}

/** What rows are matched and sorted by: the key, or, where there is none, everything that both sides have. */
function matchText(plan: TablePlan, side: TableShape): string {
  return plan.by === "primary key" ? rowText(columns(plan, side, plan.key)) : rowText(values(plan, side, plan.compared));
}

/** Of which bucket a row is. A key of one column needs no brackets, which take as long as all the rest. */
function bucketOf(plan: TablePlan, side: TableShape): string {
  const [only] = columns(plan, side, plan.key);
  const text = only !== undefined && plan.key.length === 1 ? `${only}::text` : matchText(plan, side);
  return `(${hash(text)} & $1::bigint)::int`;
}

function hash(text: string): string {
  return `hashtextextended((${text}) COLLATE "C", 0)`;
}

/** Which version of a row it is: its place in the table's file, and the transaction that wrote it. */
const VERSION = "t.ctid::text || t.xmin::text";

/**
 * `$1` is the number of buckets less one. Per bucket its number and a digest of its rows that does not depend on their order: of their versions
 * where these tell whether rows are equal, which takes a third of the time, else of their content.
 */
export function bucketSql(plan: TablePlan, side: TableShape): string {
  const told = plan.versions ? VERSION : content(plan, side);
  return `SELECT ${bucketOf(plan, side)}, count(*)::text, sum(${hash(told)})::text
            FROM ${side.source} t GROUP BY 1`;
}

/**
 * `$1` is the number of buckets less one, `$2` the buckets wanted. Per row its matching text, its hash, which columns are left out of an export,
 * and with `withRows` every column of the side; ordered by the bytes of the matching text, whatever the collation of the database.
 */
export function streamSql(plan: TablePlan, side: TableShape, withRows: boolean): string {
  const cell = (value: string): string => (plan.anyBytes ? escapedSql(value) : value);
  const match = cell(matchText(plan, side));
  const cells = withRows ? side.columns.map((column) => `, ${cell(exportable(plan, side, column))}`).join("") : "";
  return `SELECT ${match}, ${hash(content(plan, side))}::text, ${leftOutSql(plan, side)}${cells}
            FROM ${side.source} t
           WHERE ${bucketOf(plan, side)} = ANY ($2::int[])
           ORDER BY convert_to(${match}, 'UTF8')`;
}

export function countSql(side: TableShape): string {
  return `SELECT count(*)::int8 AS rows FROM ${side.source} t`;
}

/** `$1` schema, `$2` table. Pages of the table with its partitions. */
export const PAGES = `
  SELECT coalesce(sum(pg_relation_size(p.relid)) / current_setting('block_size')::bigint, 0)::int8 AS pages
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (SELECT c.oid AS relid WHERE c.relkind = 'r'
                             UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p') p
   WHERE n.nspname = $1 AND c.relname = $2`;

/** About one bucket a page: one changed row then makes about a page of rows travel, and the digests stay a few megabytes at any size. */
export function bucketCount(pages: number): number {
  return 2 ** Math.min(16, Math.max(12, Math.ceil(Math.log2(Math.max(1, pages)))));
}
