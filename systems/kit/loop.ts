/** Repeats work until it is stopped: the current piece is finished, a wait is cut short. */
import { setTimeout as sleep } from "node:timers/promises";
import { describeError, type Log } from "./log.ts";

export interface Loop {
  /** Resolves when the current piece of work is done; none follows. */
  stop(): Promise<void>;
}

/**
 * @param work does one piece and says how long to wait before the next, milliseconds.
 * @param afterErrorMs how long to wait after a piece that failed.
 */
export function startLoop(log: Log, work: () => Promise<number>, afterErrorMs = 500): Loop {
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const waitMs = await work().catch((error: unknown) => {
        log.warn("a piece of work failed", describeError(error));
        return afterErrorMs;
      });
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      // Work without a wait would block signals and requests.
      else await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const done = run();
  return {
    stop: () => {
      stopping.abort();
      return done;
    },
  };
}
