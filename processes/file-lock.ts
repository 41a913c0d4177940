/**
 * A lock between processes that the kernel holds: an exclusive transaction on a file of its own. It ends with its process, so there are no
 * stale locks. The file stays and is empty.
 */
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface FileLock {
  release(): void;
}

/** @returns null: another process, or another part of this one, holds it. */
function tryFileLock(path: string): FileLock | null {
  for (;;) {
    make(path);
    const before = identityOf(path);
    const held = hold(path);
    if (held === null) return null;
    // The folder may have been removed with the file: then this lock is on a file that nobody else can open.
    if (before !== null && before === identityOf(path)) return { release: () => held.close() };
    held.close();
  }
}

/**
 * Retries without blocking, so the process stays responsive.
 * @returns null: not available within `waitMs`.
 */
export async function fileLock(path: string, waitMs = Infinity, everyMs = 100): Promise<FileLock | null> {
  const until = Date.now() + waitMs;
  for (;;) {
    const held = tryFileLock(path);
    if (held !== null) return held;
    if (Date.now() >= until) return null;
    await sleep(everyMs);
  }
}

/** Creates the file only if it is missing: closing a file releases all locks that its process has on it. */
function make(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (existsSync(path)) return;
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!["EEXIST", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}:${found.birthtimeNs}`;
}

const BUSY = 5;
const CANNOT_OPEN = 14;

interface Held {
  close(): void;
}

/** @returns null: it is held; an empty lock if the folder has just been removed. */
function hold(path: string): Held | null {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  let file: InstanceType<typeof DatabaseSync> | null = null;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    file.exec("BEGIN EXCLUSIVE");
    return file;
  } catch (error) {
    file?.close();
    const code = ((error as { errcode?: number }).errcode ?? 0) % 256;
    if (code === BUSY) return null;
    if (code === CANNOT_OPEN && !existsSync(path)) return { close: () => undefined };
    throw error;
  }
}
