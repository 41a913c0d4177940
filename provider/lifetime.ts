/**
 * When the provider ends. The engine sends Cancel on every normal end, then SIGINT, and kills after 5 s; when the command line dies by
 * SIGKILL the provider is not notified. It ends when no operation is in flight, and only then; a command of the user's is ended at once.
 */
import { endCommands } from "../processes/command.ts";

let operations = 0;
let ending = false;
let lastEndedAt = -Infinity;

/** How long the answer to a call may take to leave. */
const ANSWER_MS = 250;

/** The same where the end was asked for afterwards: the engine asks when it has its answers. */
const ANSWERED_MS = 50;

/** Marks an operation as in flight, so that the provider does not end in the middle of it. */
export async function inFlight<T>(work: () => Promise<T>): Promise<T> {
  operations++;
  try {
    return await work();
  } finally {
    operations--;
    lastEndedAt = performance.now();
    endWhenIdle(ANSWER_MS);
  }
}

function endWhenIdle(graceMs: number): void {
  if (!ending || operations > 0) return;
  const answeredMs = performance.now() - lastEndedAt;
  if (answeredMs >= graceMs) process.exit(0);
  setTimeout(() => endWhenIdle(graceMs), graceMs - answeredMs);
}

function end(): void {
  if (ending) return;
  ending = true;
  // Its operation fails then, and the next run starts it again.
  endCommands();
  endWhenIdle(ANSWERED_MS);
}

/** Ends on SIGINT, SIGTERM and when the parent is gone. */
export function watchLifetime(): void {
  const parent = Number(process.env["BACKOUT_PROVIDER_PARENT"] ?? process.ppid);
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  setInterval(() => process.ppid !== parent && end(), 250).unref();
}
