/** One SQLite file as a session: values bound as `$1`, `$2`, …. `node:sqlite` is loaded by the first file opened. */
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/** How long a session waits for others' locks. */
const BUSY_MS = 5_000;

export interface OpenOptions {
  readOnly?: boolean;
  /** Milliseconds to wait for others' locks. @default 5000 */
  timeoutMs?: number;
  /** Nobody writes to the file: no lock is taken and no file beside it is looked at. */
  immutable?: boolean;
}

/** Opens an existing or new file. The caller closes it. */
export function openFile(path: string, { readOnly = false, timeoutMs = BUSY_MS, immutable = false }: OpenOptions = {}): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  if (readOnly && !immutable) recover(path, timeoutMs);
  const location = immutable ? new URL(`${pathToFileURL(path).href}?immutable=1`) : path;
  // Constraints are the data's own affair: backout neither switches them on where the system does not, nor trips over them in a copy.
  return new DatabaseSync(location, { readOnly: readOnly || immutable, timeout: timeoutMs, enableForeignKeyConstraints: false });
}

/**
 * Rolls back what a killed writer left half done: a session that only reads may not do that, and would fail. SQLite distinguishes such a journal from one
 * whose writer lives.
 */
function recover(path: string, timeoutMs: number): void {
  if ((statSync(`${path}-journal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  try {
    withFile(path, { timeoutMs }, (db) => first(db, "SELECT count(*) FROM sqlite_schema"));
  } catch {
    // The next reader gets the same error and reports it.
  }
}

/** Runs `work` with a file that is closed afterwards, whatever happens. */
export function withFile<T>(path: string, options: OpenOptions, work: (db: DatabaseSync) => T): T {
  const db = openFile(path, options);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/**
 * Reads a file that may be somebody else's and leaves nothing beside it: a session that only reads would make a write-ahead log anew where there is none,
 * and leave it.
 */
export function lookInto<T>(path: string, work: (db: DatabaseSync) => T): T {
  const atRest = keepsLog(path) && !existsSync(`${path}-wal`);
  return withFile(path, atRest ? { immutable: true } : { readOnly: true, timeoutMs: 1_000 }, work);
}

/** Whether a file keeps a write-ahead log. From the header, so that a damaged file can be asked too. */
export function keepsLog(path: string): boolean {
  const header = Buffer.alloc(20);
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, header, 0, 20, 0);
  } finally {
    closeSync(descriptor);
  }
  return header[18] === 2;
}

/** Values as SQLite takes them, under the names `$1`, `$2`, … */
export function bound(values: readonly unknown[]): Record<string, SQLInputValue> {
  return Object.fromEntries(values.map((value, index) => [`$${index + 1}`, sqlValue(value)]));
}

function sqlValue(value: unknown): SQLInputValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "object" && !(value instanceof Uint8Array)) return JSON.stringify(value);
  return value as SQLInputValue;
}

export function all<T = Record<string, unknown>>(db: DatabaseSync, sql: string, values: readonly unknown[] = []): T[] {
  return prepared(db, sql).all(bound(values)) as T[];
}

/** As `all`, with every integer as a bigint: one beyond 2^53 cannot be read as a number at all. */
export function exact<T = Record<string, unknown>>(db: DatabaseSync, sql: string, values: readonly unknown[] = []): T[] {
  const statement = prepared(db, sql);
  statement.setReadBigInts(true);
  return statement.all(bound(values)) as T[];
}

export function first<T = Record<string, unknown>>(db: DatabaseSync, sql: string, values: readonly unknown[] = []): T | null {
  return (prepared(db, sql).get(bound(values)) as T | undefined) ?? null;
}

/** @returns how many rows were changed */
export function run(db: DatabaseSync, sql: string, values: readonly unknown[] = []): number {
  return Number(prepared(db, sql).run(bound(values)).changes);
}

function prepared(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  // A statement need not use every value it is given.
  statement.setAllowUnknownNamedParameters(true);
  return statement;
}

/** One transaction that writes: everything of it or nothing. */
export function atomically<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

export function hasTable(db: DatabaseSync, name: string): boolean {
  return first(db, "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = $1 COLLATE NOCASE", [name]) !== null;
}

/** Primary result code of an error of SQLite; null for any other. */
function resultCode(error: unknown): number | null {
  const { code, errcode } = error as { code?: string; errcode?: number };
  return code === "ERR_SQLITE_ERROR" && errcode !== undefined ? errcode & 0xff : null;
}

/** Somebody else holds a lock. */
export function isBusy(error: unknown): boolean {
  return [5, 6].includes(resultCode(error) ?? 0);
}

/** The file is damaged, or no database at all. */
export function isDamaged(error: unknown): boolean {
  return [11, 26].includes(resultCode(error) ?? 0);
}
