import { randomUUID } from "node:crypto";
import { readFileSync, unlinkSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onLeave } from "./leave.ts";
import { placeOnce } from "./place-once.ts";
import { isAlive, startOf } from "./process-table.ts";
import { elapsed, type Log } from "./progress.ts";

const LOOK_EVERY_MS = 250;
const TELL_EVERY_MS = 5_000;
const SIGN_OF_LIFE_EVERY_MS = 5_000;
/** A holder on another machine, or in another container, cannot be asked by its process id: it is gone when it shows no sign of life. */
const GONE_AFTER_MS = 60_000;

interface Holder {
  token: string;
  pid: number;
  /** The kernel's start time of the process, because process ids are used again; empty where the system does not tell. */
  started: string;
  host: string;
  since: string;
}

/**
 * Does `work` while no other process does work under the lock file `path`. Waits for a living holder and says who it is;
 * takes the lock of a dead one.
 */
export async function withLock<T>(path: string, log: Log, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const me: Holder = {
    token: randomUUID(),
    pid: process.pid,
    started: startOf(process.pid),
    host: hostname(),
    since: new Date().toISOString(),
  };
  await acquire(path, me, log);
  const stay = onLeave(() => release(path, me));
  const signs = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), SIGN_OF_LIFE_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(signs);
    stay();
    release(path, me);
  }
}

async function acquire(path: string, me: Holder, log: Log): Promise<void> {
  const waitingSince = performance.now();
  let toldAt = -Infinity;
  while (!(await placeOnce(path, JSON.stringify(me)))) {
    const holder = await holderOf(path);
    if (!holder) continue;
    if (await isGone(path, holder)) {
      log(`The lock of process ${holder.pid} on ${holder.host}, which is gone, is taken over.`);
      await remove(path, holder);
      continue;
    }
    if (performance.now() - toldAt >= TELL_EVERY_MS) {
      toldAt = performance.now();
      log(`Process ${holder.pid} on ${holder.host} is making the engine since ${holder.since}: waiting for it (${elapsed(waitingSince)}).`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    // Not a lock of ours, such as an empty file after a full disk: old enough, it is nobody's.
    return { token: "", pid: 0, started: "", host: "an unknown machine", since: "an unknown time" };
  }
}

async function isGone(path: string, holder: Holder): Promise<boolean> {
  if (holder.host === hostname() && holder.pid > 0) {
    const started = startOf(holder.pid);
    if (!isAlive(holder.pid) || (holder.started !== "" && started !== "" && started !== holder.started)) return true;
  }
  const seen = await stat(path).catch(() => undefined);
  return seen !== undefined && Date.now() - seen.mtimeMs > GONE_AFTER_MS;
}

/**
 * Renames before removing, and looks at what was renamed: a third process may have taken the lock in between, and gets it back.
 * Should that fail too, two processes make the same engine, and the last one's is kept whole.
 */
async function remove(path: string, gone: Holder): Promise<void> {
  const aside = `${path}.gone-${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await holderOf(aside);
  if (moved && moved.token !== gone.token) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

function release(path: string, me: Holder): void {
  try {
    if ((JSON.parse(readFileSync(path, "utf8")) as Holder).token === me.token) unlinkSync(path);
  } catch {
    // Already gone: nothing to give back.
  }
}
