/** A control made of commands: whatever supervises a service, by its own command line. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { ControlContext, ControlPin, ServiceControl } from "../config/system/control.ts";

export interface CommandControl {
  /** Puts a release in place without starting it; run before the start, in every rollout that changes it. */
  install?: readonly string[];
  stop: readonly string[];
  start: readonly string[];
  /** Exits with 0 while the service runs, with anything else while it does not. */
  status?: readonly string[];
}

const exec = promisify(execFile);
const LIMIT_MS = 600_000;
const LAST_LINES = 10;

/** A command of a control failed. */
export class ControlCommandError extends Error {
  readonly command: readonly string[];
  constructor(service: string, command: readonly string[], reason: string) {
    super(`${service}: \`${command.join(" ")}\` failed: ${reason}`);
    this.name = "ControlCommandError";
    this.command = command;
  }
}

/**
 * Commands run without a shell, in the program's folder, with `BACKOUT_SERVICE`, `BACKOUT_STACK` and `PORT` in their environment; `install` and
 * `start` also with `BACKOUT_RELEASE`, `BACKOUT_PATH`, `BACKOUT_IMAGE`, `BACKOUT_COMMIT` and the service's configuration.
 */
export function commandControl({ install, stop, start, status }: CommandControl): ServiceControl {
  return {
    ...(install === undefined ? {} : { install: (context) => run(install, context) }),
    stop: (context) => run(stop, context),
    start: (context) => run(start, context),
    ...(status === undefined ? {} : { observe: async (context) => ({ running: await succeeds(status, context) }) }),
  };
}

async function run(command: readonly string[], context: ControlContext & Partial<ControlPin>): Promise<void> {
  await execute(command, context).catch((error: ExecError) => {
    const output = `${error.stderr ?? ""}${error.stdout ?? ""}`.trim().split("\n").slice(-LAST_LINES).join("\n");
    throw new ControlCommandError(context.service, command, output === "" ? error.message : output);
  });
}

async function succeeds(command: readonly string[], context: ControlContext): Promise<boolean> {
  return execute(command, context).then(
    () => true,
    (error: ExecError) => {
      // The program ran and said no; one that cannot be started says nothing.
      if (typeof error.code === "number") return false;
      throw new ControlCommandError(context.service, command, error.message);
    },
  );
}

interface ExecError extends Error {
  code?: number | string;
  stdout?: string;
  stderr?: string;
}

async function execute(command: readonly string[], context: ControlContext & Partial<ControlPin>): Promise<void> {
  const { service, stack, port, release, path, image, commit, config = {} } = context;
  const [program = "", ...args] = command;
  const facts = { RELEASE: release, PATH: path, IMAGE: image, COMMIT: commit };
  const named = Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[`BACKOUT_${name}`, value]]));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...config,
    BACKOUT_SERVICE: service,
    BACKOUT_STACK: stack,
    PORT: String(port),
    ...(Object.fromEntries(named) as Record<string, string>),
  };
  await exec(program, args, { env, timeout: LIMIT_MS, killSignal: "SIGKILL", maxBuffer: 64 * 1024 * 1024 });
}
