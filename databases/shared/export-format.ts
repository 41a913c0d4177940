/** How differences are written: one JSON document a line, and CSV after RFC 4180. Values are the server's own text. */
import type { Difference, TextRow } from "./comparison.ts";

export function jsonLine({ op, key, row, before, copies, classes, tooLarge }: Difference): string {
  const noted = { ...(copies !== undefined && { copies }), ...(classes !== undefined && { classes }), ...(tooLarge && { tooLarge }) };
  return `${JSON.stringify({ op, key, row, before, ...noted })}\n`;
}

/** @throws SyntaxError for a damaged line. */
export function parseJsonLine(table: string, line: string): Difference {
  return { table, ...(JSON.parse(line) as Omit<Difference, "table">) };
}

export function csvHeader(columns: readonly string[]): string {
  return csvRecord(["op", ...columns]);
}

export function csvRow(op: Difference["op"], columns: readonly string[], row: TextRow): string {
  return csvRecord([op, ...columns.map((column) => row[column] ?? null)]);
}

/** NULL is an empty field, an empty string is `""`, as in PostgreSQL's own CSV. */
export function csvRecord(fields: readonly (string | null)[]): string {
  return `${fields.map((field) => (field === null ? "" : csvField(field))).join(",")}\r\n`;
}

function csvField(field: string): string {
  return field === "" || /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;

/** Counts CSV records; a line break inside quotes ends none. */
export class CsvCounter {
  records = 0;
  private quoted = false;

  add(chunk: Buffer): void {
    for (const byte of chunk) {
      if (byte === QUOTE) this.quoted = !this.quoted;
      else if (byte === LINE_FEED && !this.quoted) this.records++;
    }
  }
}

/**
 * Lines of a file without their line feed. Splits at the line feed alone: Node's readline also splits at U+2028 and U+2029, which JSON leaves
 * inside a string.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]).toString("utf8");
      rest = [];
      start = end + 1;
    }
    rest.push(chunk.subarray(start));
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) yield last.toString("utf8");
}
