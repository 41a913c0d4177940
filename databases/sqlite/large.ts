/** Values too large for a row of an export, as in PostgreSQL: compared by their digest, left out of the row, and named. */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { ROW_BYTES, VALUE_BYTES } from "../shared/not-compared.ts";
import { first } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import type { TablePlan, TableShape } from "./shape.ts";
import { textBytes } from "./text-bytes.ts";
import { InvalidText, type Value } from "./values.ts";

/** Bytes of a value's text, without reading it. SQL. */
function bytesSql({ utf16 }: TableShape, column: string): string {
  const text = utf16 ? textBytes(utf16, column) : column;
  return `CASE typeof(${column}) WHEN 'blob' THEN 2 + 2 * octet_length(${column}) WHEN 'text' THEN octet_length(${text}) ELSE 0 END`;
}

function rowTooLong(shape: TableShape): string {
  return `(${shape.columns.map(({ name }) => bytesSql(shape, quote(name))).join(" + ")}) > ${ROW_BYTES}`;
}

/** Whether a row of either side is too long to be exported as it is. */
export function isLarge(sides: readonly (readonly [DatabaseSync, TableShape | null])[]): boolean {
  return sides.some(
    ([db, shape]) => shape !== null && first(db, `SELECT 1 FROM main.${quote(shape.name)} WHERE ${rowTooLong(shape)} LIMIT 1`) !== null,
  );
}

/** What the SQL below calls. */
export function defineDigest(db: DatabaseSync): void {
  db.function("backout_digest", { deterministic: true }, (type, bytes) => digest(String(type), bytes as Uint8Array));
}

function digest(type: string, bytes: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(type).update(bytes).digest();
}

function digestSql({ utf16 }: TableShape, column: string): string {
  const bytes = utf16 ? `CASE typeof(${column}) WHEN 'text' THEN ${textBytes(utf16, column)} ELSE ${column} END` : textBytes(utf16, column);
  return `backout_digest(typeof(${column}), ${bytes})`;
}

/** A column as it is read: its digest, where it is left out. A key is never left out: nothing else tells which row it is. */
export function readableSql(plan: TablePlan, shape: TableShape, name: string): string {
  const column = quote(name);
  return plan.key.includes(name)
    ? column
    : `CASE WHEN ${rowTooLong(shape)} AND ${bytesSql(shape, column)} > ${VALUE_BYTES} THEN ${digestSql(shape, column)} ELSE ${column} END`;
}

/** A column as rows without a key are sorted by it: see `comparable`. */
export function comparableSql(shape: TableShape, name: string): string {
  const column = quote(name);
  return `CASE WHEN ${bytesSql(shape, column)} > ${VALUE_BYTES} THEN ${digestSql(shape, column)} ELSE ${column} END`;
}

/** Places of the columns that are left out of a row, as a list. SQL. */
export function leftOutSql(plan: TablePlan, shape: TableShape): string {
  const places = shape.columns.map(({ name }, place) =>
    plan.key.includes(name)
      ? "NULL"
      : `CASE WHEN ${rowTooLong(shape)} AND ${bytesSql(shape, quote(name))} > ${VALUE_BYTES} THEN ${place} END`,
  );
  return `concat_ws(',', ${places.join(", ")})`;
}

/** A value for comparing: of a large one its digest, so that it is the same whether its row holds it or not. */
export function comparable(value: Value): Value {
  if (value instanceof Uint8Array) return 2 + 2 * value.length > VALUE_BYTES ? digest("blob", value) : value;
  if (value instanceof InvalidText) return value.bytes.length > VALUE_BYTES ? digest("text", value.bytes) : value;
  return typeof value === "string" && Buffer.byteLength(value) > VALUE_BYTES ? digest("text", value) : value;
}
