/**
 * Starting a service as a process of this machine: detached, so that it outlives whoever started it, and marked in its environment, so
 * that a starter killed between starting and recording leaves nothing that nobody knows of.
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
  /** The whole environment, besides what every program needs (path, home, locale, time zone). Secrets belong here. */
  environment: Record<string, string>;
  release: string;
  /** Hash of everything else that must lead to a restart when it changes. */
  configHash: string;
  /** Kept with the record for whoever compares. */
  setupHash?: string | null;
  /** The port it will listen on; checked to be free. */
  port: number | null;
}

/** How a process that this process started has ended. */
export interface ExitState {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const INHERITED = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];
const exits = new Map<string, ExitState>();

/**
 * Starts a service, or says that it already runs so. Orphans of the name are ended first. Resolves as soon as the process exists:
 * whether it works is for `waitHealthy` to find out.
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

/** A connection that goes out, or a process that has just ended, may have the port for a moment more: nobody listens there, so that nobody is named as its holder. */
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
  const inherited = Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  // Makes the state folder where there is none; the marker needs its real path.
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
      // It may have died before it could be looked at; then no live process will ever match.
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

/** How a process ended; null where it lives or was started by somebody else. */
export function exitStateOf(record: ProcessRecord): ExitState | null {
  return exits.get(exitKey(record)) ?? null;
}

function exitKey(record: ProcessIdentity): string {
  return `${record.pid}@${record.startTime}`;
}
