/** A control made of commands: whatever supervises a service, by its own command line. */
import type { ControlContext, ControlPin, ServiceControl } from "../config/system/control.ts";
import { failureOf, ProgramNotStartedError, runProgram, type ProgramResult } from "../processes/run-program.ts";

export interface CommandControl {
  /** Puts a release in place without starting it; run before the start, in every rollout that changes it. */
  install?: readonly string[];
  stop: readonly string[];
  start: readonly string[];
  /** Exits with 0 while the service runs, with anything else while it does not. */
  status?: readonly string[];
}

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
  const result = await execute(command, context);
  const failure = failureOf(result, LIMIT_MS);
  if (failure === null) return;
  const output = `${result.stderr}${result.stdout}`.trim().split("\n").slice(-LAST_LINES).join("\n");
  throw new ControlCommandError(context.service, command, output === "" ? failure : output);
}

/** A program that cannot be started, or is ended, says nothing of the service. */
async function succeeds(command: readonly string[], context: ControlContext): Promise<boolean> {
  const result = await execute(command, context);
  if (result.code === null) throw new ControlCommandError(context.service, command, failureOf(result, LIMIT_MS)!);
  return result.code === 0;
}

async function execute(command: readonly string[], context: ControlContext & Partial<ControlPin>): Promise<ProgramResult> {
  const { service, stack, port, release, path, image, commit, config = {} } = context;
  const facts = { RELEASE: release, PATH: path, IMAGE: image, COMMIT: commit };
  const named = Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[`BACKOUT_${name}`, value]]));
  const environment = {
    ...config,
    BACKOUT_SERVICE: service,
    BACKOUT_STACK: stack,
    PORT: String(port),
    ...(Object.fromEntries(named) as Record<string, string>),
  };
  return runProgram({ command, folder: process.cwd(), environment, timeoutMs: LIMIT_MS }).catch((error: unknown) => {
    throw error instanceof ProgramNotStartedError ? new ControlCommandError(service, command, error.message) : error;
  });
}
