/** Who has a file open: a handle that outlives a swap would write into the file that was set aside, or worse, into its successor's log. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
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
    super(`${path} is held open by ${who}: end it, then run \`pulumi up\` again. Nothing of the data was changed`);
    this.name = "FileHeldError";
    this.path = path;
    this.holders = holders;
  }
}

/** Processes other than this one that have one of the files, or a file beside it, open. Linux only; elsewhere none are found and only the locks tell. */
export function holdersOf(...paths: string[]): Holder[] {
  if (process.platform !== "linux") return [];
  const names = new Set(paths.map(realPath).flatMap((path) => [path, ...BESIDE.map((suffix) => path + suffix)]));
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid && holds(entry, names))
    .map((entry) => ({ pid: Number(entry), command: commandOf(entry) }));
}

/** Processes that end meanwhile, and those of other users, cannot be looked into. */
function holds(pid: string, names: Set<string>): boolean {
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return false;
  }
  return descriptors.some((descriptor) => {
    try {
      return names.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
    } catch {
      return false;
    }
  });
}

function commandOf(pid: string): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
    const text = words.join(" ");
    return text.length > 80 ? `${text.slice(0, 77)}…` : text;
  } catch {
    return "";
  }
}
