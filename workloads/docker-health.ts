/** Waits until a started container is healthy. */
import { NeverHealthyError, waitHealthy, type ExitState, type HealthAnswer } from "../processes/process.ts";
import type { HealthDefinition } from "../config/system/health.ts";
import { docker, lastErrorLines } from "./docker-cli.ts";
import { execArguments, inspectArguments, logsArguments, waitArguments } from "./docker-commands.ts";
import { parseContainers } from "./docker-containers.ts";
import { askService, type RunHealth } from "./health.ts";

const ERROR_LINES = 20;
/** Docker accepts a connection before the program listens, and closes it at once. */
const HOLD_MS = 100;
/** For a service without health endpoint: it must be seen running once. */
const SEEN_TIMEOUT_MS = 5_000;
/** Longer than any wait for health: the wait for a container's end is aborted, never timed out. */
const WATCH_TIMEOUT_MS = 24 * 60 * 60_000;

export interface HealthRequest {
  service: string;
  id: string;
  /** Published port on 127.0.0.1. */
  port: number;
  health: HealthDefinition | undefined;
}

/**
 * Requests from outside, over the published port, as users do.
 * @throws NeverHealthyError with the container's error log; DockerUnreachableError
 */
export async function untilHealthy({ service, id, port, health }: HealthRequest): Promise<void> {
  const watch = watchEnd(id);
  try {
    await waitHealthy({
      name: service,
      isAlive: watch.isAlive,
      exitState: watch.exitState,
      ...(health === undefined
        ? { timeoutMs: SEEN_TIMEOUT_MS, check: () => seenRunning(id) }
        : { timeoutMs: health.timeoutMs, check: () => askContainer({ id, port, health }) }),
    });
  } catch (error) {
    const failure = watch.failure();
    if (failure !== null) throw failure;
    if (!(error instanceof NeverHealthyError)) throw error;
    const errors = await lastErrorLines(logsArguments(id), ERROR_LINES);
    throw new NeverHealthyError(error.processName, error.waitedMs, error.lastAnswer, error.alive, error.exit, errors);
  } finally {
    watch.end();
  }
}

/** One question to a running container: over its published port, or by a command inside it. Never throws. */
export function askContainer({ id, port, health }: { id: string; port: number; health: HealthDefinition }): Promise<HealthAnswer> {
  const inside: RunHealth = async (command, timeoutMs) => {
    await docker(execArguments(id, command), { timeoutMs });
    return { healthy: true, answer: `\`${command.join(" ")}\` ended with code 0` };
  };
  return askService(health, port, inside, HOLD_MS);
}

/** `docker wait` returns when the container ends for any reason. */
function watchEnd(id: string): { isAlive: () => boolean; exitState: () => ExitState | null; failure: () => Error | null; end: () => void } {
  const abort = new AbortController();
  let exit: ExitState | null = null;
  let failure: Error | null = null;
  docker(waitArguments(id), { timeoutMs: WATCH_TIMEOUT_MS, signal: abort.signal }).then(
    (code) => {
      exit = { code: Number(code), signal: null };
    },
    (error: unknown) => {
      if (!abort.signal.aborted) failure = error as Error;
    },
  );
  return { isAlive: () => exit === null && failure === null, exitState: () => exit, failure: () => failure, end: () => abort.abort() };
}

async function seenRunning(id: string): Promise<{ healthy: boolean; answer: string }> {
  const container = parseContainers(await docker(inspectArguments(id)))[0];
  return { healthy: container?.running === true, answer: container?.running === true ? "running" : "not running" };
}
