/**
 * The data fence of a file: its log is brought in, nobody else has it open, and an exclusive lock keeps everybody out for as long as this process
 * lives. A later process closes it anew; what somebody writes in between is in the file, and is set aside with it.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseSync } from "node:sqlite";
import { all, first, isBusy, isDamaged, openFile } from "./database.ts";
import { FileHeldError, holdersOf, type Holder } from "./holders.ts";

/** How long the fence waits until no other process has the file open. Milliseconds. */
const HOLDERS_END_MS = 3_000;

export interface Closed {
  state: "already" | "closed";
  /** The file is damaged: no lock can be taken on it, only names can be changed. */
  damaged: boolean;
}

const guards = new Map<string, DatabaseSync>();
const damaged = new Set<string>();

/** A file to be closed is not there. */
export class FileMissingError extends Error {
  readonly path: string;
  constructor(path: string) {
    super(`there is no file ${path}: it was deployed and is gone. Put it back, or pin backout:data to a snapshot`);
    this.name = "FileMissingError";
    this.path = path;
  }
}

/** A log could not be brought into its file: it may hold what the file does not. */
export class LogLeftError extends Error {
  readonly path: string;
  constructor(path: string) {
    super(`${path} is not empty although nobody has its database open: what is in it may be missing there. Look at it before it is moved`);
    this.name = "LogLeftError";
    this.path = path;
  }
}

/** @throws FileHeldError naming who has it open, FileMissingError, LogLeftError: nothing was changed */
export async function closeFile(path: string): Promise<Closed> {
  if (guards.has(path)) return { state: "already", damaged: false };
  if (!existsSync(path)) throw new FileMissingError(path);
  const until = Date.now() + HOLDERS_END_MS;
  for (;;) {
    const guard = tryToClose(path);
    const holders = guard === "busy" ? [] : holdersOf(path);
    if (guard === "damaged" && holders.length === 0) {
      damaged.add(path);
      return { state: "closed", damaged: true };
    }
    if (typeof guard === "object" && holders.length === 0) {
      guards.set(path, guard);
      refuseLeftLog(path);
      return { state: "closed", damaged: false };
    }
    if (typeof guard === "object") guard.close();
    if (Date.now() >= until) throw new FileHeldError(path, holders.length > 0 ? holders : holdersOf(path));
    await sleep(50);
  }
}

/** Leaving the write-ahead log is only possible to the last one who has the file open. */
function tryToClose(path: string): DatabaseSync | "busy" | "damaged" {
  const db = openFile(path, { timeoutMs: 0 });
  try {
    all(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    const mode = first<{ journal_mode: string }>(db, "PRAGMA journal_mode = DELETE")?.journal_mode;
    if (mode !== "delete") throw new Error(`${path} stays in journal mode ${mode ?? "unknown"}`);
    db.exec("BEGIN EXCLUSIVE; PRAGMA locking_mode = EXCLUSIVE; COMMIT");
    return db;
  } catch (error) {
    db.close();
    if (isBusy(error)) return "busy";
    if (isDamaged(error)) return "damaged";
    throw error;
  }
}

function refuseLeftLog(path: string): void {
  const left = [`${path}-wal`, `${path}-journal`].find(holdsPages);
  if (left === undefined) return;
  releaseFile(path);
  throw new LogLeftError(left);
}

/** A journal whose work is done may stay with its head struck out. */
function holdsPages(log: string): boolean {
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) === 0) return false;
  return (
    log.endsWith("-wal") ||
    readFileSync(log)
      .subarray(0, 8)
      .some((byte) => byte !== 0)
  );
}

/** Backout's own session in a closed file: the only one. `work` must end its transactions and must not close it. */
export async function insideFile<T>(path: string, work: (db: DatabaseSync) => T | Promise<T>): Promise<T> {
  await closeFile(path);
  const guard = guards.get(path);
  if (guard !== undefined) return work(guard);
  const db = openFile(path, { readOnly: true });
  try {
    return await work(db);
  } finally {
    db.close();
  }
}

/**
 * The moment in which names may be changed: no journal of ours, no log, nobody else. The locks stay on the files under their new names until `work`
 * is done. @throws FileHeldError, LogLeftError
 */
export async function whileUnwritten<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  for (const path of paths) await closeFile(path);
  try {
    // A journal is removed when its session ends: the guards are taken anew, and write nothing.
    for (const path of paths) guardAnew(path);
    const holders = holdersOf(...paths);
    if (holders.length > 0) throw new FileHeldError(paths[0] ?? "", holders);
    return await work();
  } finally {
    for (const path of paths) releaseFile(path);
  }
}

function guardAnew(path: string): void {
  if (damaged.has(path)) return;
  releaseFile(path);
  const guard = tryToClose(path);
  if (typeof guard === "string") throw new FileHeldError(path, holdersOf(path));
  guards.set(path, guard);
  refuseLeftLog(path);
}

/** Lets everybody have the file again. */
export function releaseFile(path: string): void {
  guards.get(path)?.close();
  guards.delete(path);
  damaged.delete(path);
}

export function isClosed(path: string): boolean {
  return guards.has(path) || damaged.has(path);
}

/** Who has the file open besides those in `known`, given time to end. @throws FileHeldError */
export async function refuseStrangers(path: string, known: (holder: Holder) => boolean): Promise<void> {
  const until = Date.now() + HOLDERS_END_MS;
  for (;;) {
    const strangers = holdersOf(path).filter((holder) => !known(holder));
    if (strangers.length === 0) return;
    if (Date.now() >= until) throw new FileHeldError(path, strangers);
    await sleep(50);
  }
}
