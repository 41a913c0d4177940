/** The lock that keeps two starters of one server apart. */
import { join, resolve } from "node:path";
import { fileLock } from "../../processes/file-lock.ts";

const LOCK = "lock";

/** The lock itself, and what those who wait for it make for a moment. */
export function isLock(name: string): boolean {
  return name === LOCK || name.startsWith(`${LOCK}.`);
}

/** Runs `work` while no other process starts, stops or removes the same server. */
export async function withHomeLock<T>(home: string, work: () => Promise<T>): Promise<T> {
  const held = await fileLock(join(resolve(home), `${LOCK}.held`), Infinity, 50);
  try {
    return await work();
  } finally {
    held?.release();
  }
}
