/** Who holds a lock, in a file beside it. That of a process that died stays until the next holder writes its own. */
import { readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { writeAtomically } from "./atomic-file.ts";

export interface LockHolder {
  pid: number;
  host: string;
  /** Since when, ISO 8601. */
  since: string;
}

export function thisProcess(): LockHolder {
  return { pid: process.pid, host: hostname(), since: new Date().toISOString() };
}

/** Does `work` while `file` names this process as the holder. */
export async function asHolder<T>(file: string, holder: LockHolder, work: () => Promise<T>): Promise<T> {
  writeAtomically(file, JSON.stringify(holder));
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Null where nobody is named: a process writes its name a moment after it has taken the lock, and a file may be damaged. */
export function holderIn<H extends LockHolder>(file: string): H | null {
  try {
    const holder = JSON.parse(readFileSync(file, "utf8")) as Partial<LockHolder> | null;
    return typeof holder?.pid === "number" ? (holder as H) : null;
  } catch {
    return null;
  }
}
