/**
 * Starts a service as a process of this machine: detached, so it outlives its starter, and marked in its environment, so it is found even
 * if the starter is killed before it writes the record.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { end } from "./end.ts";
import { AnotherRunningError, PortTakenError, StartError } from "./errors.ts";
import { lookUp, type ProcessIdentity } from "./identity.ts";
import { openLogs } from "./logs.ts";
import { observeProcess } from "./observe.ts";
import { holderOf, isPortFree } from "./ports.ts";
import { MARKER, markerPrefix, writeRecord, type ProcessRecord } from "./record.ts";

export interface ProcessSpec {
  /** Unique in its state folder, e.g. `backend`. */
  name: string;
  /** Working directory. */
  folder: string;
  /** Program and arguments, e.g. `[process.execPath, "main.ts"]`. Never a secret: everybody on the machine can read it. */
  command: string[];
  /** The whole environment, except what every program gets (path, home, locale, time zone). Secrets belong here. */
  environment: Record<string, string>;
  release: string;
  /** Hash of everything else that must lead to a restart when it changes. */
  configHash: string;
  /** Recorded for later comparison. */
  setupHash?: string | null;
  /** Its port, checked to be free. */
  port: number | null;
}

/** How a process that this process started has ended. */
export interface ExitState {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What every program gets of the environment that backout runs in. */
export const INHERITED_VARIABLES = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];
const exits = new Map<string, ExitState>();

/**
 * Starts a service unless it already runs as wanted. Orphans of the name are ended first. Resolves as soon as the process exists;
 * `waitHealthy` waits until it works.
 * @throws AnotherRunningError, PortTakenError, StartError, StillRunningError
 */
export async function startProcess(
  stateFolder: string,
  spec: ProcessSpec,
): Promise<{ state: "already" | "started"; record: ProcessRecord }> {
  const seen = observeProcess(stateFolder, spec.name);
  await end(spec.name, seen.orphans, 0);
  if (seen.running && seen.record !== null) {
    if (seen.release !== spec.release || seen.configHash !== spec.configHash) throw new AnotherRunningError(seen.record, spec);
    return { state: "already", record: seen.record };
  }
  if (spec.port !== null) await requirePort(spec.name, spec.port);
  return { state: "started", record: await launch(stateFolder, spec) };
}

/** An outgoing connection, or a process that has just ended, may hold the port for a moment: then no holder can be named. */
const PASSING_MS = 2_000;

async function requirePort(name: string, port: number): Promise<void> {
  for (const until = performance.now() + PASSING_MS; !(await isPortFree(port)); await sleep(20)) {
    const holder = holderOf(port);
    if (holder !== null || performance.now() > until) throw new PortTakenError(name, port, holder);
  }
}

async function launch(stateFolder: string, spec: ProcessSpec): Promise<ProcessRecord> {
  const [program, ...parameters] = spec.command;
  if (program === undefined) throw new StartError(spec, new Error("the command is empty"));
  if (!existsSync(spec.folder)) throw new StartError(spec, new Error("the folder does not exist"));
  const inherited = Object.fromEntries(
    INHERITED_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  // Creates the state folder if missing; the marker needs its real path.
  const logs = openLogs(stateFolder, spec.name);
  const environment = { ...inherited, ...spec.environment, [MARKER]: markerPrefix(stateFolder) + spec.name };
  try {
    const child = spawn(program, parameters, {
      cwd: spec.folder,
      env: environment,
      detached: true,
      stdio: ["ignore", logs.logDescriptor, logs.errorDescriptor],
    });
    const failed = new Promise<never>((_, reject) => child.once("error", (error) => reject(new StartError(spec, error))));
    const live = child.pid === undefined ? null : lookUp(child.pid);
    const record: ProcessRecord = {
      name: spec.name,
      pid: child.pid ?? 0,
      // It may have ended already; then no live process will ever match.
      startTime: live?.startTime ?? "gone before it was seen",
      release: spec.release,
      configHash: spec.configHash,
      setupHash: spec.setupHash ?? null,
      port: spec.port,
      startedAt: new Date().toISOString(),
      logFile: logs.logFile,
      errorFile: logs.errorFile,
      errorOffset: logs.errorOffset,
      command: spec.command,
    };
    if (child.pid === undefined) return await failed;
    writeRecord(stateFolder, record);
    const key = exitKey(record);
    child.once("exit", (code, name) => exits.set(key, { code, signal: name }));
    child.unref();
    failed.catch(() => undefined);
    return record;
  } finally {
    logs.close();
  }
}

/** How a process ended; null: it lives, or another process started it. */
export function exitStateOf(record: ProcessRecord): ExitState | null {
  return exits.get(exitKey(record)) ?? null;
}

function exitKey(record: ProcessIdentity): string {
  return `${record.pid}@${record.startTime}`;
}
