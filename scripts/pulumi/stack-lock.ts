/** One verb at a time per stack: the lock says who holds it, since when and why. That of a process that died is nobody's. */
import { RefusedError } from "../../config/errors.ts";
import { mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Site } from "../../config/site.ts";
import { fileLock } from "../../processes/file-lock.ts";
import { asHolder, holderIn, thisProcess, type LockHolder } from "../../processes/lock-holder.ts";
import { say } from "./outcome.ts";

export interface StackLockHolder extends LockHolder {
  user: string;
  /** The verb and what it is for. */
  what: string;
  runId: string;
}

/** Another verb works on the stack. */
export class StackLockedError extends RefusedError {
  readonly holder: StackLockHolder;
  constructor(stack: string, holder: StackLockHolder) {
    super(
      `${stack} is locked by ${holder.user}@${holder.host} (pid ${holder.pid}) since ${holder.since}: ${holder.what}, run ${holder.runId}. Wait for it to end.`,
    );
    this.name = "StackLockedError";
    this.holder = holder;
  }
}

/** Enough for the one before to have let go of it. */
const PATIENCE_MS = 200;

/** @throws StackLockedError */
export async function withStackLock<T>(
  site: Pick<Site, "home" | "stack">,
  what: string,
  runId: string,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(site.home, { recursive: true, mode: 0o700 });
  const file = join(site.home, "lock.json");
  const lock = await fileLock(join(site.home, "lock.held"), PATIENCE_MS, 25);
  if (lock === null) throw new StackLockedError(site.stack, await holderOf(file));
  try {
    const dead = holderIn<StackLockHolder>(file);
    if (dead !== null) say(`the lock of pid ${dead.pid} (${dead.what}) is taken over: that process is dead`);
    const holder: StackLockHolder = { ...thisProcess(), user: userInfo().username, what, runId };
    return await asHolder(file, holder, work);
  } finally {
    lock.release();
  }
}

/** Waits half a second for the holder's name: it is written just after the lock is taken. */
async function holderOf(file: string): Promise<StackLockHolder> {
  for (let look = 0; look < 20; look++) {
    const holder = holderIn<StackLockHolder>(file);
    if (holder !== null) return holder;
    await sleep(25);
  }
  const unknown = "unknown";
  return { pid: 0, host: unknown, user: unknown, since: unknown, what: "unknown work", runId: unknown };
}
