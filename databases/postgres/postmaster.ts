/** Looks at the processes of an embedded server: which one is its postmaster, and whether anything of it is left. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isRunning } from "../../processes/identity.ts";

export interface Postmaster {
  pid: number;
  port: number;
}

/** The running postmaster of a data folder. A file left behind by a killed one, or a process id given to another program since, is not one. */
export function findPostmaster(data: string): Postmaster | null {
  const lines = readPidFile(data);
  if (lines === null) return null;
  const pid = Number(lines[0]);
  return pid > 0 && worksIn(pid, data) ? { pid, port: Number(lines[3] ?? 0) } : null;
}

/** Whether any process of the server lives, the postmaster or an orphan of one. */
export function anyProcessIn(data: string): boolean {
  if (process.platform !== "linux") return findPostmaster(data) !== null;
  const folder = realpathSync(data);
  return readdirSync("/proc").some((name) => /^\d+$/.test(name) && currentFolder(Number(name)) === folder);
}

/**
 * PostgreSQL refuses to start while the process id in a left-over `postmaster.pid` lives, even as a zombie or as another program.
 * Removes such a file, only when no process of the server is left: the file also guards the shared memory of orphans.
 */
export function clearStalePidFile(data: string): boolean {
  const lines = readPidFile(data);
  if (lines === null || anyProcessIn(data) || !isRunning(Number(lines[0]))) return false;
  rmSync(join(data, "postmaster.pid"), { force: true });
  return true;
}

function readPidFile(data: string): string[] | null {
  try {
    return readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

function worksIn(pid: number, data: string): boolean {
  if (process.platform === "linux") return currentFolder(pid) === realpathSync(data);
  try {
    return /postgres/.test(execFileSync("ps", ["-p", String(pid), "-o", "command="], { encoding: "utf8" }));
  } catch {
    return false;
  }
}

function currentFolder(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}
