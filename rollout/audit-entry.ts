/** The entry a system wants about a rollback: a row in its own data, and the same as a line of JSON. Written once, also after a kill. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { quote } from "../databases/shared/identifiers.ts";
import type { AuditEntryDefinition } from "../config/system/evidence.ts";
import type { SqlSession, SqlValue } from "../config/system/sql-session.ts";
import { columnsOf, hasTable, tableSql } from "../databases/tables.ts";

export type Entry = Record<string, unknown>;

/** @returns false where the same entry is there already, or there is no such table. */
export async function writeAuditRow(
  session: SqlSession,
  { table, identity }: Pick<AuditEntryDefinition, "table" | "identity">,
  entry: Entry,
): Promise<boolean> {
  if (!(await hasTable(session, table))) return false;
  const there = await columnsOf(session, table);
  const columns = Object.keys(entry).filter((column) => there.includes(column));
  const values = columns.map((column) => valueOf(entry[column]));
  const name = tableSql(session, table);
  const known = identity.map((column) => {
    const place = columns.indexOf(column);
    if (place === -1) throw new Error(`${table} has no column ${column}, by which an entry is known`);
    return `${quote(column)} = $${place + 1}`;
  });
  const written = await session.run(
    `INSERT INTO ${name} (${columns.map(quote).join(", ")})
     SELECT ${columns.map((_, index) => `$${index + 1}`).join(", ")} WHERE NOT EXISTS (SELECT 1 FROM ${name} WHERE ${known.join(" AND ")})`,
    values,
  );
  return written > 0;
}

function valueOf(value: unknown): SqlValue {
  if (value === undefined || value === null) return null;
  return ["string", "number", "bigint", "boolean"].includes(typeof value) ? (value as SqlValue) : JSON.stringify(value);
}

/** @returns false where the same entry is there already. */
export function writeAuditLine(file: string, { identity }: Pick<AuditEntryDefinition, "identity">, entry: Entry): boolean {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const same = text.split("\n").some((line) => {
    try {
      const there = JSON.parse(line) as Entry;
      return identity.every((column) => JSON.stringify(there[column]) === JSON.stringify(entry[column]));
    } catch {
      return false;
    }
  });
  if (same) return false;
  // What a kill cut off stays a line of its own.
  const begin = text === "" || text.endsWith("\n") ? "" : "\n";
  appendFileSync(file, `${begin}${JSON.stringify(entry)}\n`, { mode: 0o600 });
  return true;
}
