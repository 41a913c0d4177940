/** Runs a program to its end, with everything that it started: a health command, or the build of a release. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { end } from "./end.ts";
import { findByEnvironment, lookUp } from "./identity.ts";
import { INHERITED_VARIABLES } from "./start.ts";

/** How long output may still arrive after the end. Milliseconds. */
const LEFTOVER_MS = 1_000;

export interface RunRequest {
  /** Program and arguments. */
  command: readonly string[];
  folder: string;
  /** The whole environment, except what every program gets. */
  environment: Readonly<Record<string, string>>;
  /** Variable and value that mark it and its children: whatever of them is left when it ends is ended, too. */
  mark: { name: string; value: string };
  /** When it is ended; absent: never. Milliseconds. */
  timeoutMs?: number;
  onOutput: (chunk: Buffer) => void;
}

/** How it ended. */
export interface RunOutcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
}

/** @throws where it cannot be started */
export async function runToEnd(request: RunRequest): Promise<RunOutcome> {
  const [program = "", ...parameters] = request.command;
  const inherited = Object.fromEntries(
    INHERITED_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const child = spawn(program, parameters, {
    cwd: request.folder,
    env: { ...inherited, ...request.environment, [request.mark.name]: request.mark.value },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", request.onOutput);
  child.stderr.on("data", request.onOutput);
  const live = child.pid === undefined ? null : lookUp(child.pid);
  let timedOut = false;
  const timer =
    request.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          if (live !== null) void end(program, [live], 0).catch(() => undefined);
        }, request.timeoutMs);
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve([code, signal]));
  });
  const drained = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    const [code, signal] = await ended;
    // A server that it left behind would hold its output open for ever; one that also took off the mark is not waited for.
    await endMarked(request.mark);
    await Promise.race([drained, sleep(LEFTOVER_MS, undefined, { ref: false })]);
    child.stdout.destroy();
    child.stderr.destroy();
    return { code, signal, timedOut };
  } finally {
    clearTimeout(timer);
  }
}

/** Ends every process with the mark. */
export async function endMarked({ name, value }: RunRequest["mark"]): Promise<void> {
  await end(
    value,
    findByEnvironment(name, value).filter((each) => each.value === value),
    0,
  );
}
