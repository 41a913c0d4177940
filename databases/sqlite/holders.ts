/** Who has a file open: a handle that outlives a swap would write into the file that was set aside, or worse, into its successor's log. */
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { commandLineOf } from "../../processes/identity.ts";
import { BESIDE, realPath } from "./identity.ts";

export interface Holder {
  pid: number;
  /** Command line, shortened. */
  command: string;
}

/** Somebody who is not backout has the file open. */
export class FileHeldError extends Error {
  readonly path: string;
  readonly holders: Holder[];
  constructor(path: string, holders: Holder[]) {
    const who =
      holders.length === 0
        ? "a process that cannot be seen from here"
        : holders.map(({ pid, command }) => `${command || "a process"} (pid ${pid})`).join(", ");
    super(`${path} is held open by ${who}: end it, then run the same command again. Nothing of the data was changed`);
    this.name = "FileHeldError";
    this.path = path;
    this.holders = holders;
  }
}

/**
 * Processes other than this one that have one of the files, or a file beside it, open, under whatever name: a hard link or a mount leads to the same
 * file. Linux only; elsewhere none are found and only the locks tell.
 */
export function holdersOf(...paths: string[]): Holder[] {
  if (process.platform !== "linux") return [];
  const files = new Set(
    paths
      .map(realPath)
      .flatMap((path) => [path, ...BESIDE.map((suffix) => path + suffix)])
      .flatMap((path) => fileAt(path) ?? []),
  );
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid && holds(entry, files))
    .map((entry) => ({ pid: Number(entry), command: commandLineOf(Number(entry)) }));
}

/** Processes that end meanwhile, and those of other users, cannot be inspected. */
function holds(pid: string, files: Set<string>): boolean {
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return false;
  }
  return descriptors.some((descriptor) => {
    const path = `/proc/${pid}/fd/${descriptor}`;
    try {
      // Sockets and pipes have no path, and are most of what is open.
      if (!readlinkSync(path).startsWith("/")) return false;
    } catch {
      return false;
    }
    const file = fileAt(path);
    return file !== null && files.has(file);
  });
}

/** Device and inode; null where there is no file. */
function fileAt(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}
