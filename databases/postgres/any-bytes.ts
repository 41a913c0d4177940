/** Text of databases that have no encoding (SQL_ASCII): it may be any bytes, and travels escaped, so that none of them is lost. */
import { isUtf8 } from "node:buffer";
import type { TextRow } from "../shared/comparison.ts";

/** A value of any type as ASCII text. SQL. */
export function escapedSql(value: string): string {
  return `CASE WHEN ${value} IS NOT NULL THEN encode(convert_to(format('%s', ${value}), 'SQL_ASCII'), 'escape') END`;
}

/** The text of an escaped value, as the server's own. SQL. */
export function unescapedSql(escaped: string): string {
  return `convert_from(decode(${escaped}, 'escape'), 'SQL_ASCII')`;
}

function bytesOf(escaped: string): Buffer {
  const bytes = escaped.replaceAll(/\\(\\|[0-7]{3})/g, (_, code: string) =>
    code === "\\" ? code : String.fromCharCode(parseInt(code, 8)),
  );
  return Buffer.from(bytes, "latin1");
}

export interface AnyBytes {
  row: TextRow;
  /** Columns whose text is no UTF-8: `\x` and hexadecimal digits stand for it. Null: none. */
  classes: Record<string, string> | null;
}

const INVALID = "invalid text";

/** A row of escaped values. */
export function unescaped(row: TextRow): AnyBytes {
  const classes: Record<string, string> = {};
  const entries = Object.entries(row).map(([column, value]): [string, string | null] => {
    if (value === null || !value.includes("\\")) return [column, value];
    const bytes = bytesOf(value);
    if (isUtf8(bytes)) return [column, bytes.toString("utf8")];
    classes[column] = INVALID;
    return [column, `\\x${bytes.toString("hex")}`];
  });
  return { row: Object.fromEntries(entries), classes: Object.keys(classes).length === 0 ? null : classes };
}

/** A value of an export, escaped. */
export function escaped(value: string | null, noted: string | undefined): string | null {
  if (value === null) return null;
  const bytes = noted === INVALID ? Buffer.from(value.slice(2), "hex") : Buffer.from(value);
  return bytes
    .toString("latin1")
    .replaceAll("\\", "\\\\")
    .replaceAll(/[\u0080-\u00ff]/g, (byte) => `\\${byte.charCodeAt(0).toString(8)}`);
}
