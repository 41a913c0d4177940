import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { tryFileLock, type FileLock } from "../../processes/file-lock.ts";
import { elapsed, type Log } from "./progress.ts";

const LOOK_EVERY_MS = 250;
const TELL_EVERY_MS = 5_000;

/** Who makes the engine, for those who wait. That of a process that died stays until the next one writes its own. */
interface Holder {
  pid: number;
  host: string;
  since: string;
}

/** Does `work` while no other process does work under the lock file `path`. Waits for a living holder and says who it is. */
export async function withLock<T>(path: string, log: Log, work: () => Promise<T>): Promise<T> {
  const holderFile = `${path}.holder`;
  const lock = await acquire(path, holderFile, log);
  try {
    writeFileSync(holderFile, JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() } satisfies Holder));
    return await work();
  } finally {
    // Whoever has opened the old file meanwhile sees that it is gone, and takes the lock of the next one.
    for (const file of [holderFile, path]) rmSync(file, { force: true });
    lock.release();
  }
}

async function acquire(path: string, holderFile: string, log: Log): Promise<FileLock> {
  const waitingSince = performance.now();
  let toldAt = -Infinity;
  for (;;) {
    const lock = tryFileLock(path);
    if (lock !== null) return lock;
    const holder = read(holderFile);
    // Whoever has just taken it says so a moment later.
    if (holder !== null && performance.now() - toldAt >= TELL_EVERY_MS) {
      toldAt = performance.now();
      log(`Process ${holder.pid} on ${holder.host} is making the engine since ${holder.since}: waiting for it (${elapsed(waitingSince)}).`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

function read(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Holder;
  } catch {
    return null;
  }
}
