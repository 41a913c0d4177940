/** The fence of a SQLite file, and what a copy of it does not carry: mode, owner, and whether it keeps a write-ahead log. */
import { existsSync } from "node:fs";
import { first, keepsLog, openFile } from "../database.ts";
import { closeFile, releaseFile, type Closed } from "../fence.ts";
import { giveOwnership, ownershipOf, type Ownership } from "../swap.ts";
import type { Run } from "../../../config/run.ts";
import { foundKey } from "../../../state/adoption.ts";
import { livePath } from "./places.ts";
import { isOwn, settle } from "./swaps.ts";

export interface FileProperties extends Ownership {
  /** Whether the file keeps a write-ahead log. */
  wal: boolean;
}

const keyOf = (database: string): string => `file properties: ${database}`;

/** As it is while nothing is closed; while something is, the record of before stays. */
export async function keepProperties({ state, site }: Run, database: string, everythingOpen: boolean): Promise<void> {
  if (!everythingOpen && (await state.kept(keyOf(database))) !== null) return;
  const live = livePath(site, database);
  if (!existsSync(live)) return;
  const properties: FileProperties = { ...ownershipOf(live), wal: keepsLog(live) };
  if (!(await isOwn(state, site, database))) await state.keepFirst(foundKey(database), properties);
  await state.keep(keyOf(database), properties);
}

/** A file backout made itself: a write-ahead log lets readers and a writer at it at once. */
export async function keepMadeProperties({ state }: Run, database: string, live: string): Promise<void> {
  await state.keep(keyOf(database), { ...ownershipOf(live), wal: true } satisfies FileProperties);
}

export async function savedProperties({ state }: Run, database: string): Promise<FileProperties | null> {
  return state.kept<FileProperties>(keyOf(database));
}

/** @throws FileHeldError naming who has the file open */
export async function close(run: Run, database: string): Promise<Closed & { interrupted: string }> {
  const interrupted = settle(run.state, database);
  const closed = await closeFile(livePath(run.site, database));
  if (closed.damaged) run.log("warning", `${database}: the file is damaged and cannot be locked; nobody has it open`);
  return { ...closed, interrupted };
}

/** A file has no roles: nothing is granted. The gate and the stopped services keep users out. */
export async function admit(run: Run, database: string): Promise<void> {
  const live = livePath(run.site, database);
  if (!existsSync(live)) return;
  releaseFile(live);
  const saved = await savedProperties(run, database);
  if (saved === null) return;
  if (saved.wal !== keepsLog(live)) setLog(live, saved.wal);
  giveOwnership(live, saved);
}

function setLog(path: string, wal: boolean): void {
  const db = openFile(path);
  try {
    first(db, `PRAGMA journal_mode = ${wal ? "WAL" : "DELETE"}`);
  } finally {
    db.close();
  }
}

/** Files have no roles, and are closed only while a process closes them: nothing is to be given back. */
export const ensureServices = (): Promise<void> => Promise.resolve();
export const giveBack = (): Promise<void> => Promise.resolve();
