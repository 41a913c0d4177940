/** Where an embedded server's files are, what marks them as ours, and the lock that keeps two starters apart. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reachableBy } from "./run-as.ts";
import type { Runner } from "./run-as.ts";

const MARKER = "backout-server.json";
const POINTER = "backout-server-location.json";

/** Written when a server home is made; what proves that a folder may be deleted. */
export interface Marker {
  format: 1;
  home: string;
  superuser: string;
  version: string;
  port: number;
}

/** The folder holds something that backout did not put there. */
export class NotAServerHomeError extends Error {
  readonly folder: string;
  constructor(folder: string) {
    super(`${folder} is not a server home made by backout (it holds no ${MARKER}): nothing was touched; name an empty or absent folder`);
    this.name = "NotAServerHomeError";
    this.folder = folder;
  }
}

export interface Layout {
  /** Where everything below really is: the home itself, unless the server's user cannot reach it. */
  folder: string;
  data: string;
  log: string;
  passwordFile: string;
  marker: string;
}

export function layoutOf(folder: string): Layout {
  return {
    folder,
    data: join(folder, "data"),
    log: join(folder, "server.log"),
    passwordFile: join(folder, "superuser-password"),
    marker: join(folder, MARKER),
  };
}

/** The folder a server home's files really are in. */
export function locate(home: string, runner: Runner | null): string {
  const absolute = resolve(home);
  const pointer = join(absolute, POINTER);
  if (existsSync(pointer)) return (JSON.parse(readFileSync(pointer, "utf8")) as { folder: string }).folder;
  if (runner === null || existsSync(join(absolute, MARKER)) || reachableBy(runner, absolute)) return absolute;
  return join("/var/lib/backout", createHash("sha256").update(absolute).digest("hex").slice(0, 16));
}

export function readMarker(folder: string): Marker | null {
  const path = join(folder, MARKER);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Marker) : null;
}

/**
 * Makes the folders, owned by the server's user, and marks them.
 * @throws NotAServerHomeError when something else is in there.
 */
export function claimHome(home: string, runner: Runner | null, marker: Marker): Layout {
  const absolute = resolve(home);
  const folder = locate(home, runner);
  const made = readMarker(folder);
  if (made === null && existsSync(folder) && readdirSync(folder).some((name) => !isLock(name))) throw new NotAServerHomeError(folder);
  mkdirSync(absolute, { recursive: true });
  if (folder !== absolute) {
    mkdirSync(dirname(folder), { recursive: true });
    chmodSync(dirname(folder), 0o755);
    mkdirSync(folder, { recursive: true });
    writeWhole(join(absolute, POINTER), JSON.stringify({ folder }) + "\n", 0o644);
  }
  const layout = layoutOf(folder);
  writeWhole(layout.marker, JSON.stringify(marker, null, 2) + "\n", 0o644);
  if (runner) chownSync(folder, runner.uid, runner.gid);
  if (!existsSync(layout.log)) writeFileSync(layout.log, "", { mode: 0o600 });
  if (runner) chownSync(layout.log, runner.uid, runner.gid);
  return layout;
}

/** Deletes a server home; the server must be stopped. */
export function eraseHome(home: string, runner: Runner | null): void {
  const absolute = resolve(home);
  const folder = locate(home, runner);
  if (!existsSync(folder) && !existsSync(absolute)) return;
  if (existsSync(folder) && readMarker(folder) === null) throw new NotAServerHomeError(folder);
  rmSync(folder, { recursive: true, force: true });
  if (absolute !== folder) {
    rmSync(join(absolute, POINTER), { force: true });
    if (existsSync(absolute) && readdirSync(absolute).every(isLock)) rmSync(absolute, { recursive: true, force: true });
  }
}

export function writeWhole(path: string, text: string, mode: number): void {
  const making = `${path}.making-${process.pid}`;
  writeFileSync(making, text, { mode });
  renameSync(making, path);
}

const LOCK = "lock";

/** The lock itself, and what those who wait for it make for a moment. */
function isLock(name: string): boolean {
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

export function isFolder(path: string): boolean {
  return existsSync(path) && lstatSync(path).isDirectory();
}
