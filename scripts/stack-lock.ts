/** One verb at a time per stack: the lock says who holds it, since when and why. A lock whose process is dead is taken over. */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { isAlive, startOf } from "./engine/process-table.ts";
import type { Site } from "../declared/site.ts";
import { say } from "./verbs/outcome.ts";

export interface LockHolder {
  pid: number;
  /** Start of the process, so that a reused pid is not mistaken for it. */
  startedAt: string;
  host: string;
  user: string;
  since: string;
  what: string;
  runId: string;
}

/** Another verb works on the stack. */
export class StackLockedError extends Error {
  readonly holder: LockHolder;
  constructor(stack: string, holder: LockHolder, file: string) {
    super(
      `${stack} is locked by ${holder.user}@${holder.host} (pid ${holder.pid}) since ${holder.since}: ${holder.what}, run ${holder.runId}. ` +
        `Wait for it to end${holder.host === hostname() ? "" : `; if it is known to be dead, remove ${file}`}.`,
    );
    this.name = "StackLockedError";
    this.holder = holder;
  }
}

export async function withStackLock<T>(site: Site, what: string, runId: string, work: () => Promise<T>): Promise<T> {
  const file = join(site.home, "lock.json");
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const mine: LockHolder = {
    pid: process.pid,
    startedAt: startOf(process.pid),
    host: hostname(),
    user: userInfo().username,
    since: new Date().toISOString(),
    what,
    runId,
  };
  for (;;) {
    try {
      place(file, mine);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      takeOverDead(site, file);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Linked into place whole: a lock that can be seen says who holds it. */
function place(file: string, holder: LockHolder): void {
  const written = `${file}.${holder.pid}`;
  writeFileSync(written, JSON.stringify(holder), { mode: 0o600 });
  try {
    linkSync(written, file);
  } finally {
    rmSync(written, { force: true });
  }
}

function takeOverDead(site: Site, file: string): void {
  let holder: LockHolder;
  try {
    holder = JSON.parse(readFileSync(file, "utf8")) as LockHolder;
  } catch {
    // Removed in the meantime.
    rmSync(file, { force: true });
    return;
  }
  const sameProcess = holder.host !== hostname() || (isAlive(holder.pid) && startOf(holder.pid) === holder.startedAt);
  if (sameProcess) throw new StackLockedError(site.stack, holder, file);
  say(`the lock of pid ${holder.pid} (${holder.what}) is taken over: that process is dead`);
  rmSync(file, { force: true });
}
