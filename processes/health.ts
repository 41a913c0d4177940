/** Waits until a started process is healthy, or reports why it is not. */
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./identity.ts";
import { errorLines } from "./logs.ts";
import { readRecord } from "./record.ts";
import { exitStateOf, type ExitState } from "./start.ts";

const ERROR_LINES = 20;
const ANSWER_TIMEOUT_MS = 2_000;

/** Result of one health request. `answer` is shown to people: status and start of the body, or the error. */
export interface HealthAnswer {
  healthy: boolean;
  answer: string;
}

export interface HealthOptions {
  name: string;
  /** Health endpoint: healthy when it answers 200 and `body`, where given, is contained. Either this or `check`. */
  url?: string;
  body?: string;
  check?: () => Promise<HealthAnswer>;
  timeoutMs: number;
  /** What it is given as PORT; said where nothing answered there. */
  port?: number;
  /** Checked before and after each request: the answer of another process on the same port is not health. */
  isAlive: () => boolean;
  exitState?: () => ExitState | null;
  errorLines?: (lines: number) => string[];
}

export class NeverHealthyError extends Error {
  readonly processName: string;
  readonly waitedMs: number;
  /** The last answer. */
  readonly lastAnswer: string;
  /** False: the process had ended; `exit` says how, if known. */
  readonly alive: boolean;
  readonly exit: ExitState | null;
  readonly errors: string[];

  constructor(
    processName: string,
    waitedMs: number,
    lastAnswer: string,
    alive: boolean,
    exit: ExitState | null,
    errors: string[],
    port?: number,
  ) {
    const ended = exit === null ? "has ended" : exit.signal === null ? `has ended with code ${exit.code}` : `was ended by ${exit.signal}`;
    const log =
      errors.length === 0 ? "its error log is empty" : `the last lines of its error log:\n${errors.map((line) => `  ${line}`).join("\n")}`;
    super(
      `"${processName}" ${alive ? `did not become healthy within ${waitedMs} ms` : `${ended}, ${waitedMs} ms after the wait began`}; ` +
        `last answer: ${lastAnswer}; ${port === undefined ? "" : `it was to listen on PORT=${port}; `}${log}`,
    );
    this.name = "NeverHealthyError";
    this.processName = processName;
    this.waitedMs = waitedMs;
    this.lastAnswer = lastAnswer;
    this.alive = alive;
    this.exit = exit;
    this.errors = errors;
  }
}

/**
 * Resolves when the process answers as healthy and is alive.
 * @throws NeverHealthyError when it ends first, or `timeoutMs` pass.
 */
export async function waitHealthy(options: HealthOptions): Promise<{ waitedMs: number; answer: string }> {
  const began = performance.now();
  const look = options.check ?? (() => ask(options.url ?? "", options.body));
  let lastAnswer = "none";
  const heard = (): boolean => lastAnswer !== "none" && !lastAnswer.includes("ECONNREFUSED");
  const fail = (alive: boolean) => {
    const errors = options.errorLines?.(ERROR_LINES) ?? [];
    return new NeverHealthyError(
      options.name,
      Math.round(performance.now() - began),
      lastAnswer,
      alive,
      options.exitState?.() ?? null,
      errors,
      heard() ? undefined : options.port,
    );
  };
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.2, 250)) {
    if (!options.isAlive()) {
      // The exit event arrives a turn of the event loop after the process has become a zombie.
      await sleep(20);
      throw fail(false);
    }
    const { healthy, answer } = await answered(look());
    lastAnswer = answer;
    if (healthy && options.isAlive()) return { waitedMs: Math.round(performance.now() - began), answer };
    if (performance.now() - began >= options.timeoutMs) throw fail(options.isAlive());
    await sleep(pauseMs);
  }
}

/** `waitHealthy` for a process of `startProcess`. */
export function waitProcessHealthy(
  stateFolder: string,
  name: string,
  options: Pick<HealthOptions, "url" | "body" | "check" | "timeoutMs" | "port">,
): Promise<{ waitedMs: number; answer: string }> {
  const record = readRecord(stateFolder, name);
  return waitHealthy({
    ...options,
    name,
    isAlive: () => record !== null && isAlive(record),
    exitState: () => (record === null ? null : exitStateOf(record)),
    errorLines: (lines) => errorLines(stateFolder, name, lines),
  });
}

/** One request to a health endpoint. Never throws. */
export function askHealth(url: string, body: string | undefined): Promise<HealthAnswer> {
  return answered(ask(url, body));
}

async function answered(look: Promise<HealthAnswer>): Promise<HealthAnswer> {
  return look.catch((error: unknown) => ({ healthy: false, answer: reasonOf(error) }));
}

async function ask(url: string, body: string | undefined): Promise<HealthAnswer> {
  const response = await fetch(url, {
    headers: { connection: "close" },
    redirect: "manual",
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  const text = await response.text();
  const healthy = response.status === 200 && (body === undefined || text.includes(body));
  return { healthy, answer: `${response.status} ${text.slice(0, 200)}`.trim() };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || cause.name : String(cause);
}
