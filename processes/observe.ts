/** Finds what runs under a name: by its record, and by the marker in its environment. */
import { findByEnvironment, isAlive, lookUp, type LiveProcess, type ProcessIdentity } from "./identity.ts";
import { MARKER, checkName, markerPrefix, readRecord, type ProcessRecord } from "./record.ts";

export interface ProcessObservation {
  running: boolean;
  /** Null while it is not running; so are `release` and `configHash`. */
  pid: number | null;
  release: string | null;
  configHash: string | null;
  /** The last start, also of a process that has ended. */
  record: ProcessRecord | null;
  /** Processes with the name's marker that the record does not know. `startProcess` and `stopProcess` end them. */
  orphans: ProcessIdentity[];
}

/** What runs under a name. Read-only. */
export function observeProcess(stateFolder: string, name: string): ProcessObservation {
  checkName(name);
  const record = readRecord(stateFolder, name);
  const running = record !== null && isAlive(record);
  const marker = markerPrefix(stateFolder) + name;
  const orphans = findByEnvironment(MARKER, marker).filter((each) => each.value === marker && !(running && belongsTo(each, record.pid)));
  return {
    running,
    pid: running ? record.pid : null,
    release: running ? record.release : null,
    configHash: running ? record.configHash : null,
    record,
    orphans: orphans.map(({ pid, startTime }) => ({ pid, startTime })),
  };
}

/** Names of everything alive that was started from this state folder, recorded or not. Linux only. */
export function runningNames(stateFolder: string): string[] {
  const prefix = markerPrefix(stateFolder);
  return [...new Set(findByEnvironment(MARKER, prefix).map((each) => each.value.slice(prefix.length)))].sort();
}

function belongsTo(candidate: LiveProcess, leader: number): boolean {
  for (let each: LiveProcess | null = candidate; each !== null && each.pid > 1; each = lookUp(each.parent)) {
    if (each.pid === leader || each.group === leader) return true;
  }
  return false;
}
