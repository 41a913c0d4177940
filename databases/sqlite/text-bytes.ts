/**
 * Bytes of text as UTF-8, whatever a file keeps it in. A file of UTF-16 sorts text by other bytes than those of the text that is read, and hands out
 * these others where text is cast.
 */
import type { DatabaseSync } from "node:sqlite";
import { first } from "./database.ts";

export function keepsUtf16(db: DatabaseSync): boolean {
  return first<{ encoding: string }>(db, "PRAGMA encoding")?.encoding !== "UTF-8";
}

/** What the SQL below calls in a file of UTF-16. */
export function defineUtf8(db: DatabaseSync): void {
  db.function("backout_utf8", { deterministic: true }, (text) => Buffer.from(String(text)));
}

/** Of a value of text. SQL. */
export function textBytes(utf16: boolean, value: string): string {
  return utf16 ? `backout_utf8(${value})` : `CAST(${value} AS BLOB)`;
}

/** Terms of ORDER BY that sort as `compareValues` does. */
export function sortedSql(utf16: boolean, value: string): string {
  if (!utf16) return `${value} COLLATE BINARY`;
  return `typeof(${value}) = 'blob', CASE typeof(${value}) WHEN 'text' THEN ${textBytes(utf16, value)} ELSE ${value} END`;
}
