import { rmSync } from "node:fs";
import { fileLock, type FileLock } from "../../processes/file-lock.ts";
import { asHolder, holderIn, thisProcess } from "../../processes/lock-holder.ts";
import { elapsed, type Log } from "./progress.ts";

const LOOK_EVERY_MS = 250;
const TELL_EVERY_MS = 5_000;

/** Does `work` while no other process does work under the lock file `path`. Waits for a living holder and says who it is. */
export async function withLock<T>(path: string, log: Log, work: () => Promise<T>): Promise<T> {
  const holderFile = `${path}.holder`;
  const lock = await acquire(path, holderFile, log);
  try {
    return await asHolder(holderFile, thisProcess(), work);
  } finally {
    // A process that opened the old file finds it gone, and takes the lock of the next one.
    rmSync(path, { force: true });
    lock.release();
  }
}

async function acquire(path: string, holderFile: string, log: Log): Promise<FileLock> {
  const waitingSince = performance.now();
  let waitMs = 0;
  for (;;) {
    const lock = await fileLock(path, waitMs, LOOK_EVERY_MS);
    if (lock !== null) return lock;
    const holder = holderIn(holderFile);
    waitMs = holder === null ? LOOK_EVERY_MS : TELL_EVERY_MS;
    if (holder !== null)
      log(`Process ${holder.pid} on ${holder.host} is making the engine since ${holder.since}: waiting for it (${elapsed(waitingSince)}).`);
  }
}
