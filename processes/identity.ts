/** Identity of a process. A pid alone is reused after its process has ended; a pid with the process's start time is unique. */
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface ProcessIdentity {
  pid: number;
  /** Opaque: equal for the same process, different for any other that had or will have the pid, also across a reboot. */
  startTime: string;
}

export interface LiveProcess extends ProcessIdentity {
  parent: number;
  /** Process group; equal to `pid` for the group's leader. */
  group: number;
}

const LINUX = process.platform === "linux";
let bootId: string | null = null;

/** The live process with this pid; null: none, or only a zombie. */
export function lookUp(pid: number): LiveProcess | null {
  return LINUX ? lookUpInProc(pid) : lookUpByPs(pid);
}

/** How many characters of a command line are shown. */
const SHOWN = 80;

/** Command line of a process, shortened; empty: it has ended, or is another user's. Linux only. */
export function commandLineOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean).join(" ");
    return text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}…` : text;
  } catch {
    return "";
  }
}

/** True if any process with this pid runs: for pids recorded without a start time. */
export function isRunning(pid: number): boolean {
  return lookUp(pid) !== null;
}

/** True if exactly this process is alive, not another one with its pid. */
export function isAlive(identity: ProcessIdentity): boolean {
  return lookUp(identity.pid)?.startTime === identity.startTime;
}

/** Parses `/proc/<pid>/stat`. The command name in it may hold blanks and brackets, so the fields are counted from its last bracket. */
export function parseStat(text: string, boot: string): LiveProcess | null {
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, parent, group] = fields;
  const ticks = fields[19];
  if (state === undefined || ticks === undefined || !Number.isInteger(pid)) return null;
  if (state === "Z" || state === "X" || state === "x") return null;
  return { pid, parent: Number(parent), group: Number(group), startTime: `${boot}/${ticks}` };
}

function lookUpInProc(pid: number): LiveProcess | null {
  // Ticks count from boot: without the boot id, processes before and after a reboot could be confused.
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 8);
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"), bootId);
  } catch {
    return null;
  }
}

function lookUpByPs(pid: number): LiveProcess | null {
  const answer = spawnSync("ps", ["-o", "stat=,ppid=,pgid=,lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const match = /^\s*(\S+)\s+(\d+)\s+(\d+)\s+(.+?)\s*$/.exec(answer.stdout ?? "");
  if (match === null || match[1]?.startsWith("Z")) return null;
  return { pid, parent: Number(match[2]), group: Number(match[3]), startTime: match[4] ?? "" };
}

/** Every live process whose environment holds `name=value…` for a value that starts with `prefix`. Linux only; elsewhere none is found. */
export function findByEnvironment(name: string, prefix: string): (LiveProcess & { value: string })[] {
  if (!LINUX) return [];
  const found: (LiveProcess & { value: string })[] = [];
  const start = `${name}=${prefix}`;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    let environment: string;
    try {
      environment = readFileSync(`/proc/${entry}/environ`, "utf8");
    } catch {
      continue;
    }
    if (!environment.includes(start)) continue;
    const line = environment.split("\0").find((each) => each.startsWith(start));
    const live = line === undefined ? null : lookUp(Number(entry));
    if (line !== undefined && live !== null) found.push({ ...live, value: line.slice(name.length + 1) });
  }
  return found;
}

/** Every live process but the kernel's own. Linux only; elsewhere none is found. */
export function liveProcesses(): LiveProcess[] {
  if (!LINUX) return [];
  return readdirSync("/proc").flatMap((entry) => {
    const live = /^\d+$/.test(entry) ? lookUp(Number(entry)) : null;
    return live === null || live.pid === KERNEL_THREADS || live.parent === KERNEL_THREADS ? [] : [live];
  });
}

/** Parent of the kernel's threads, which have neither environment nor output. */
const KERNEL_THREADS = 2;

/** Whether the process's environment holds exactly this variable. */
export function hasVariable({ pid }: ProcessIdentity, name: string, value: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`.includes(`\0${name}=${value}\0`);
  } catch {
    return false;
  }
}

/** Whether the process's standard output or error goes into one of these files. */
export function writesInto({ pid }: ProcessIdentity, files: readonly string[]): boolean {
  return files.length > 0 && [1, 2].some((output) => files.includes(targetOf(`/proc/${pid}/fd/${output}`)));
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

/** Signals exactly this process; false: it has ended, or its pid belongs to another process now. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/**
 * Signals the whole group of its leader at once; false: the leader has ended, leads no group, or its pid belongs to another process now.
 */
export function signalGroup(leader: ProcessIdentity, name: NodeJS.Signals): boolean {
  const live = lookUp(leader.pid);
  if (live === null || live.startTime !== leader.startTime || live.group !== live.pid) return false;
  try {
    process.kill(-leader.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
