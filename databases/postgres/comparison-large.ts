/**
 * Values that are too large to be read and written as they are: a row of an export is one string, and its values are text. Such a value is compared
 * by its digest, left out of the row that is exported, and named; what was set aside keeps it.
 */
import type { Client } from "pg";
import { type NotCompared, ROW_BYTES, VALUE_BYTES } from "../shared/not-compared.ts";
import { readShapes, type ColumnShape, type TablePlan, type TableShape } from "./comparison-shape.ts";
import { quote } from "../shared/identifiers.ts";

/** Bytes of a column's text, asked without reading the value where that can be. SQL. */
function bytesOf({ name, wide }: ColumnShape): string {
  const value = `t.${quote(name)}`;
  const bytes =
    wide === "bytea"
      ? `2 + 2 * octet_length(${value})::int8`
      : wide === "text"
        ? `octet_length(${value}::text)`
        : `CASE WHEN pg_column_size(${value}) > ${VALUE_BYTES} THEN octet_length(${value}::text) END`;
  return `coalesce(${bytes}, 0)::int8`;
}

function wideColumns({ columns }: TableShape): ColumnShape[] {
  return columns.filter(({ wide }) => wide !== null);
}

function rowBytes(side: TableShape): string {
  return wideColumns(side).map(bytesOf).join(" + ");
}

/** `$1` schema, `$2` table. Bytes that the table and its partitions keep outside their rows. */
const OUTSIDE = `
  SELECT coalesce(sum(pg_relation_size(nullif(m.reltoastrelid, 0))), 0)::float8 AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_tree(c.oid)) p JOIN pg_class m ON m.oid = p.relid
   WHERE n.nspname = $1 AND c.relname = $2`;

/** Bytes of the longest row's text; 0 where none can be long. */
export async function longestRow(client: Client, side: TableShape | null): Promise<number> {
  if (side === null || wideColumns(side).length === 0) return 0;
  const { rows: outside } = await client.query<{ bytes: number }>(OUTSIDE, [side.schema, side.table]);
  if ((outside[0]?.bytes ?? 0) === 0) return 0;
  const { rows } = await client.query<{ bytes: number | null }>(`SELECT max(${rowBytes(side)})::float8 AS bytes FROM ${side.source} t`);
  return rows[0]?.bytes ?? 0;
}

/** A value for comparing; of a large one its digest. SQL. @param text what it is compared as otherwise */
export function digested(plan: TablePlan, column: ColumnShape, text: string): string {
  if (!plan.large || column.wide === null) return text;
  const value = `t.${quote(column.name)}`;
  const whole = column.wide === "bytea" ? value : `${value}::text`;
  return `CASE WHEN ${bytesOf(column)} > ${VALUE_BYTES} THEN md5(${whole}) ELSE ${value}::text END`;
}

function isLeftOut(side: TableShape, column: ColumnShape): string {
  return `(${rowBytes(side)} > ${ROW_BYTES} AND ${bytesOf(column)} > ${VALUE_BYTES})`;
}

/** A value for the export; NULL where it is left out. SQL. */
export function exportable(plan: TablePlan, side: TableShape, column: ColumnShape): string {
  const value = `t.${quote(column.name)}`;
  return plan.large && column.wide !== null ? `CASE WHEN NOT ${isLeftOut(side, column)} THEN ${value} END` : value;
}

/** Places of the columns that are left out of a row, as a list; NULL for none. SQL. */
export function leftOutSql(plan: TablePlan, side: TableShape): string {
  if (!plan.large || wideColumns(side).length === 0) return "NULL::text";
  const places = side.columns.flatMap((column, place) =>
    column.wide === null ? [] : [`CASE WHEN ${isLeftOut(side, column)} THEN ${place} END`],
  );
  return `nullif(concat_ws(',', ${places.join(", ")}), '')`;
}

export function leftOutOf(side: TableShape | null, cell: string | null): string[] {
  return cell === null ? [] : cell.split(",").map((place) => side!.columns[Number(place)]!.name);
}

/** Tables with rows that are too long to be exported as they are; whether these were written since was not asked. */
export async function tooLargeAmong(client: Client, tables: readonly string[]): Promise<NotCompared[]> {
  const shapes = await readShapes(client);
  const found: NotCompared[] = [];
  for (const name of tables)
    if ((await longestRow(client, shapes.get(name) ?? null)) > ROW_BYTES)
      found.push({
        name,
        kind: "values of",
        why: `it has rows longer than ${ROW_BYTES / 1024 / 1024} MiB as text: the large values of those written since stay in what is set aside`,
        mayBeLost: true,
        compared: true,
      });
  return found;
}
