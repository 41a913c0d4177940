/**
 * What a killed command line leaves in a file backend, and keeps the next one from working:
 * a lock, and a sidecar (`.attrs`) that was being written, over which the engine stops with "failed to load checkpoint: EOF".
 * The checkpoint itself is replaced atomically.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import { isRunning } from "../../processes/identity.ts";
import { say } from "./outcome.ts";

const PREFIX = "file://";

/** Address of a file backend in `folder`. Without sidecars: the engine writes them in place, so a kill can tear them, and it needs nothing that is in them. */
export function fileBackend(folder: string): string {
  return `${PREFIX}${folder}?metadata=skip`;
}

/** Folder of a file backend, resolved as the engine does it; nothing for any other backend. */
export function folderOf(backend: string | undefined, project: string): string | undefined {
  if (backend?.startsWith(PREFIX) !== true) return undefined;
  const path = backend.slice(PREFIX.length).split("?")[0] ?? "";
  return resolve(project, path.replace(/^~(?=\/|$)/, homedir()));
}

/**
 * Removes the locks of `stack` whose process on this machine is dead, and sidecars that cannot be read; says so.
 * @returns the files that were removed.
 */
export function cleanFileBackend(backend: string | undefined, stack: string, project: string): string[] {
  const folder = folderOf(backend, project);
  if (!folder) return [];
  return [...staleLocks(join(folder, ".pulumi", "locks"), stack), ...tornSidecars(join(folder, ".pulumi", "stacks"), stack)];
}

function staleLocks(folder: string, stack: string): string[] {
  return locksIn(folder, stack).flatMap(({ file, pid, holds }) => {
    if (holds) return [];
    rmSync(file, { force: true });
    say(`removed the state lock of pid ${pid}: that process is dead`);
    return [file];
  });
}

export interface StateLock {
  file: string;
  pid: number;
  /** Its process runs, or is one of another machine. */
  holds: boolean;
}

/** Locks of a stack in a file backend. */
export function stateLocks(backend: string | undefined, stack: string, project: string): StateLock[] {
  const folder = folderOf(backend, project);
  return folder === undefined ? [] : locksIn(join(folder, ".pulumi", "locks"), stack);
}

function locksIn(folder: string, stack: string): StateLock[] {
  return filesIn(folder).flatMap((entry) => {
    if (!entry.endsWith(".json") || !entry.split("/").includes(stack)) return [];
    const file = join(folder, entry);
    const lock = readJson(file) as { pid?: number; hostname?: string } | undefined;
    if (lock?.pid === undefined) return [];
    return [{ file, pid: lock.pid, holds: lock.hostname !== hostname() || isRunning(lock.pid) }];
  });
}

function tornSidecars(folder: string, stack: string): string[] {
  return filesIn(folder).flatMap((entry) => {
    if (!entry.endsWith(".attrs") || !basename(entry).startsWith(`${stack}.json`)) return [];
    const file = join(folder, entry);
    if (readJson(file) !== undefined) return [];
    rmSync(file, { force: true });
    say(`removed ${file}: a run that was killed left it half-written`);
    return [file];
  });
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
