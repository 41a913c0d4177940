/** Finds what runs under a name: by its record, by the marker in its environment, by the log it writes to, and by who started it. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  findByEnvironment,
  hasVariable,
  isAlive,
  liveProcesses,
  lookUp,
  writesInto,
  type LiveProcess,
  type ProcessIdentity,
} from "./identity.ts";
import { MARKER, checkName, markerPrefix, readRecord, type ProcessRecord } from "./record.ts";

export interface ProcessObservation {
  running: boolean;
  /** Null while it is not running; so are `release` and `configHash`. */
  pid: number | null;
  release: string | null;
  configHash: string | null;
  /** The last start, also of a process that has ended. */
  record: ProcessRecord | null;
  /** Processes of the name that the recorded one does not have as its children. `startProcess` and `stopProcess` end them. */
  orphans: ProcessIdentity[];
  /** The same where the recorded process has ended: what it left behind. */
  left: ProcessIdentity[];
}

/** What runs under a name. Read-only. */
export function observeProcess(stateFolder: string, name: string): ProcessObservation {
  checkName(name);
  const record = readRecord(stateFolder, name);
  const running = record !== null && isAlive(record);
  // Asked often while it runs: what is not marked is looked for where it is to be stopped.
  const orphans = running ? strangersTo(record.pid, stateFolder, name) : familyOf(stateFolder, name);
  return {
    running,
    pid: running ? record.pid : null,
    release: running ? record.release : null,
    configHash: running ? record.configHash : null,
    record,
    orphans,
    left: !running && record !== null ? orphans : [],
  };
}

function strangersTo(leader: number, stateFolder: string, name: string): ProcessIdentity[] {
  const marker = markerOf(stateFolder, name);
  const marked = findByEnvironment(MARKER, marker).filter((each) => each.value === marker);
  return marked.filter((each) => !belongsTo(each, leader)).map(({ pid, startTime }) => ({ pid, startTime }));
}

/**
 * Every live process of a name, the recorded one first: its group, its children, those with its marker and those that write to its log. One
 * that left its group, its parent, its environment and its log is unknown. Elsewhere than on Linux only the recorded one is known.
 */
export function familyOf(stateFolder: string, name: string): ProcessIdentity[] {
  checkName(name);
  const record = readRecord(stateFolder, name);
  const leader = record === null || !isAlive(record) ? null : lookUp(record.pid);
  const [marker, logs] = [markerOf(stateFolder, name), logsOf(record)];
  const all = liveProcesses();
  const own = all.filter(
    (each) => (leader !== null && each.group === leader.pid) || hasVariable(each, MARKER, marker) || writesInto(each, logs),
  );
  const family = new Map([...(leader === null ? [] : [leader]), ...own].map((each) => [each.pid, each]));
  addChildren(family, all);
  family.delete(process.pid);
  return [...family.values()].map(({ pid, startTime }) => ({ pid, startTime }));
}

/** Children, their children, and so on. */
function addChildren(family: Map<number, LiveProcess>, all: readonly LiveProcess[]): void {
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const each of all) if (family.has(each.parent) && !family.has(each.pid)) family.set(each.pid, each);
  }
}

/** Names of everything alive that was started from this state folder, recorded or not. Linux only. */
export function runningNames(stateFolder: string): string[] {
  const prefix = markerPrefix(stateFolder);
  return [...new Set(findByEnvironment(MARKER, prefix).map((each) => each.value.slice(prefix.length)))].sort();
}

function markerOf(stateFolder: string, name: string): string {
  return markerPrefix(stateFolder) + name;
}

/** A log is its service's own. One that was rotated away keeps its writers. */
function logsOf(record: ProcessRecord | null): string[] {
  if (record === null) return [];
  return [record.logFile, record.errorFile].flatMap((file) => {
    const folder = dirname(file);
    const real = join(existsSync(folder) ? realpathSync(folder) : folder, basename(file));
    return [real, `${real}.1`];
  });
}

function belongsTo(candidate: LiveProcess, leader: number): boolean {
  for (let each: LiveProcess | null = candidate; each !== null && each.pid > 1; each = lookUp(each.parent)) {
    if (each.pid === leader || each.group === leader) return true;
  }
  return false;
}
