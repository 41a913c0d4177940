/** The lock that keeps two starters of one server apart. */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const LOCK = "lock";

/** The lock itself, and what those who wait for it make for a moment. */
export function isLock(name: string): boolean {
  return name === LOCK || name.startsWith(`${LOCK}.`);
}

/** Runs `work` while no other process starts, stops or removes the same server. A lock whose process is gone is taken over. */
export async function withHomeLock<T>(home: string, work: () => Promise<T>): Promise<T> {
  const folder = resolve(home);
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, LOCK);
  const own = `${lock}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  const content = `${process.pid} ${startOf(process.pid) ?? "-"} ${own}\n`;
  while (!tryLock(lock, own, content)) await sleep(50);
  try {
    return await work();
  } finally {
    if (existsSync(lock) && readFileSync(lock, "utf8") === content) unlinkSync(lock);
  }
}

function tryLock(lock: string, own: string, content: string): boolean {
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(own, content);
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(own, { force: true });
  }
  const seen = readIfThere(lock);
  if (seen === null || holderLives(seen)) return false;
  const aside = `${own}.stale`;
  try {
    renameSync(lock, aside);
  } catch {
    return false;
  }
  // Between looking and renaming somebody else may have taken it over: then it is theirs.
  if (readIfThere(aside) !== seen) {
    try {
      linkSync(aside, lock);
    } catch {
      // A third one holds it now.
    }
  }
  rmSync(aside, { force: true });
  return false;
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function holderLives(content: string): boolean {
  const [pid, start] = content.split(" ");
  const current = startOf(Number(pid));
  if (current !== null) return start === "-" || start === current;
  return process.platform !== "linux" && isAlive(Number(pid));
}

/** When a process started, in the kernel's ticks: a process id alone may have been given to another. `null` where it is gone or unknown. */
export function startOf(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
