/** What is in a file, small enough to keep and exact enough to compare: rows and checksum of each table, and every object by its definition. */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { all, first } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import { orphansOf } from "./integrity.ts";
import { textOf, type Value } from "./values.ts";

export interface Manifest {
  /** Rows, and a sum over their hashes that does not depend on their order. */
  tables: Record<string, { rows: number; checksum: string }>;
  /** `type name` → SQL. */
  schema: Record<string, string>;
  /** Rows that refer to nothing, by table: a copy may have no others than its snapshot. */
  orphans: Record<string, number>;
  /** The system's own marks in the file. */
  marks: Record<string, number | string>;
}

export function captureManifest(db: DatabaseSync): Manifest {
  db.exec("BEGIN");
  try {
    const names = all<{ name: string }>(
      db,
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT IN ('sqlite_schema', 'sqlite_stat1', 'sqlite_stat4') ORDER BY name",
    );
    const schema = all<{ key: string; sql: string }>(
      db,
      "SELECT type || ' ' || name AS key, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1",
    );
    return {
      tables: Object.fromEntries(names.map(({ name }) => [name, contentOf(db, name)])),
      schema: Object.fromEntries(schema.map(({ key, sql }) => [key, sql])),
      orphans: orphansOf(db),
      marks: Object.fromEntries(
        ["user_version", "application_id", "encoding"].map((mark) => [
          mark,
          Object.values(first<Record<string, number | string>>(db, `PRAGMA ${mark}`) ?? {})[0] ?? "",
        ]),
      ),
    };
  } finally {
    db.exec("COMMIT");
  }
}

function contentOf(db: DatabaseSync, table: string): { rows: number; checksum: string } {
  const statement = db.prepare(`SELECT * FROM main.${quote(table)}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  let rows = 0;
  let sum = 0n;
  for (const cells of statement.iterate() as unknown as Iterable<Value[]>) {
    rows++;
    sum = BigInt.asUintN(64, sum + hashOf(cells));
  }
  return { rows, checksum: sum.toString(16).padStart(16, "0") };
}

/** Each value with its storage class and length, so that different rows never have the same text. */
function hashOf(cells: Value[]): bigint {
  const hash = createHash("sha256");
  for (const cell of cells) {
    const text = textOf(cell);
    hash.update(text === null ? "0;" : `${cell instanceof Uint8Array ? "blob" : typeof cell}${text.length}:${text};`);
  }
  return hash.digest().readBigUInt64BE();
}

/** One line per difference; empty when they are equal. */
export function compareManifests(expected: Manifest, actual: Manifest): string[] {
  return (Object.keys(NOUNS) as (keyof Manifest)[]).flatMap((section) =>
    compareSection(NOUNS[section], expected[section] as Record<string, unknown>, actual[section] as Record<string, unknown>),
  );
}

const NOUNS: Record<keyof Manifest, string> = {
  tables: "table",
  schema: "object",
  orphans: "rows that refer to nothing in",
  marks: "mark",
};

function compareSection(noun: string, expected: Record<string, unknown>, actual: Record<string, unknown>): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
  return names.flatMap((name) => {
    const [was, is] = [JSON.stringify(expected[name]), JSON.stringify(actual[name])];
    if (was === is) return [];
    if (is === undefined) return [`${noun} ${name} is missing`];
    return [was === undefined ? `${noun} ${name} was not expected: ${is}` : `${noun} ${name} is ${is}, expected ${was}`];
  });
}
