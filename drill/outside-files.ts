/** The drill's own inspection of SQLite files: its own sessions and simple SQL, independent of the toolkit. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { liveFile } from "../config/site.ts";
import type { Contents } from "./contents.ts";
import { countMerged, type Counts } from "./differences.ts";
import { timesOf, type Outside } from "./outside-view.ts";
import type { Stage } from "./stage.ts";

type Cell = null | bigint | number | string | Uint8Array;

export function filesOutside({ site, definition }: Stage): Outside {
  const state = join(site.home, "state", "state.db");
  const rowsIn = <Row>(path: string, sql: string, ...values: (string | number)[]): Row[] =>
    looking(path, (db) => db.prepare(sql).all(...values) as Row[]);
  // The state names files relative to the stack's home, because a home may be moved.
  const placeOf = (path: string): string => resolve(site.home, path);
  return {
    live: Object.fromEntries(Object.keys(definition.databases).map((database) => [database, liveFile(site, database)])),
    contents: async (place, without = "") => Promise.resolve(looking(place, (db) => contentsOf(db, without))),
    differences: differencesOf,
    exists: async (place) => Promise.resolve(existsSync(place)),
    quarantines: async (epoch) =>
      Promise.resolve(
        rowsIn<{ name: string; database: string; place: string }>(
          state,
          "SELECT name, database, path AS place FROM databases WHERE role = 'quarantine' AND epoch = ? ORDER BY name",
          epoch,
        ).map((found) => ({ ...found, place: placeOf(found.place) })),
      ),
    pristine: async (database, pin) => {
      const [name, generation] = pin.split("@");
      const sql = "SELECT location FROM snapshots WHERE database = ? AND name = ? AND generation = ?";
      const [found] = rowsIn<{ location: string }>(state, sql, database, name ?? "", Number(generation ?? 1));
      return Promise.resolve(found === undefined ? null : placeOf(found.location));
    },
    journalTimes: async (epoch) => {
      const sql = "SELECT phase, kind, status, at FROM journal WHERE epoch = ? ORDER BY id";
      const rows = rowsIn<{ phase: string; kind: string; status: string; at: string }>(state, sql, epoch);
      return Promise.resolve(timesOf(rows.map(({ at, ...row }) => ({ ...row, atMs: Date.parse(at) }))));
    },
    quarantineFacts: async (quarantine, { table, key }, prefix) => {
      if (quarantine === null || !existsSync(quarantine.place))
        return Promise.resolve({ name: quarantine?.name ?? null, exists: false, witnessRows: 0 });
      const sql = `SELECT count(*) AS rows FROM ${quoted(table)} WHERE instr(CAST(${quoted(key)} AS TEXT), ?) = 1`;
      const [counted] = rowsIn<{ rows: number }>(quarantine.place, sql, prefix);
      return Promise.resolve({ name: quarantine.name, exists: true, witnessRows: counted?.rows ?? 0 });
    },
    // A file has no connections to refuse.
    withDoors: async (_places, work) => work(),
    addressOf: (place) => ({ file: place, database: place }),
  };
}

function looking<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function tablesOf(db: DatabaseSync): string[] {
  const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name").all();
  return (rows as { name: string }[]).map(({ name }) => name);
}

function contentsOf(db: DatabaseSync, without: string): Contents {
  db.exec("BEGIN");
  const contents: Contents = {};
  for (const table of tablesOf(db)) {
    let [rows, sum] = [0, 0n];
    for (const cells of cellsOf(db, table, columnsOf(db, table))) {
      if (without !== "" && cells.some((cell) => typeof cell === "string" && cell.includes(without))) continue;
      rows += 1;
      sum += BigInt(`0x${md5(cells).slice(0, 15)}`);
    }
    contents[table] = { rows, sum: String(sum) };
  }
  db.exec("COMMIT");
  return contents;
}

interface Column {
  name: string;
  key: boolean;
  /** What a row has in it that nobody gave a value. */
  usual: Cell;
}

function columnsOf(db: DatabaseSync, table: string): Column[] {
  const rows = db.prepare("SELECT name, pk > 0 AS key, dflt_value AS usual FROM pragma_table_info(?) ORDER BY name").all(table) as {
    name: string;
    key: number;
    usual: string | null;
  }[];
  return rows.map(({ name, key, usual }) => ({ name, key: key === 1, usual: usual === null ? null : valueOf(db, usual) }));
}

function valueOf(db: DatabaseSync, literal: string): Cell {
  const statement = db.prepare(`SELECT ${literal} AS value`);
  statement.setReadBigInts(true);
  return (statement.get() as { value: Cell }).value;
}

function* cellsOf(db: DatabaseSync, table: string, columns: readonly { name: string }[]): Generator<Cell[]> {
  if (columns.length === 0) return;
  const statement = db.prepare(`SELECT ${columns.map(({ name }) => quoted(name)).join(", ")} FROM ${quoted(table)}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  yield* statement.iterate() as unknown as Iterable<Cell[]>;
}

function md5(cells: readonly Cell[]): string {
  const told = cells.map((cell) =>
    cell instanceof Uint8Array ? ["blob", Buffer.from(cell).toString("hex")] : [typeof cell, String(cell)],
  );
  return createHash("md5").update(JSON.stringify(told)).digest("hex");
}

/** Migration ledgers belong to releases, not to users. */
const LEDGERS = ["_prisma_migrations", "_backout_migrations"];

async function differencesOf(base: string, current: string): Promise<Record<string, Counts>> {
  const counts: Record<string, Counts> = {};
  const tables = new Set([...looking(base, tablesOf), ...looking(current, tablesOf)].filter((table) => !LEDGERS.includes(table)));
  for (const table of tables) {
    const [before, after] = [looking(base, (db) => columnsOf(db, table)), looking(current, (db) => columnsOf(db, table))];
    if (before.length + after.length === 0) continue;
    const shared = after.filter(({ name }) => before.some((other) => other.name === name));
    const common = before.length === 0 ? after : after.length === 0 ? before : shared;
    const added = before.length === 0 ? [] : after.filter(({ name }) => !before.some((other) => other.name === name));
    counts[table] = await countMerged(
      hashed(base, table, before.length === 0 ? [] : common, []),
      hashed(current, table, after.length === 0 ? [] : common, added),
    );
  }
  return counts;
}

/** In the order of the hash of their key; without a key the whole row is its key. */
async function* hashed(
  path: string,
  table: string,
  columns: readonly Column[],
  added: readonly Column[],
): AsyncGenerator<{ key: string; content: string }, undefined> {
  const keys = columns.flatMap(({ key }, place) => (key ? [place] : []));
  const rows = looking(path, (db) =>
    [...cellsOf(db, table, [...columns, ...added])].map((cells) => {
      // What came since counts where it was filled in.
      const filled = added.flatMap(({ usual }, place) =>
        usual === cells[columns.length + place] ? [] : [cells[columns.length + place] ?? null],
      );
      const shared = columns.length === 0 ? [] : cells.slice(0, columns.length);
      return { key: md5(keys.length === 0 ? shared : keys.map((place) => cells[place] ?? null)), content: md5([...shared, ...filled]) };
    }),
  );
  yield* rows.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0));
}
