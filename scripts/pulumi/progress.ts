export type Log = (line: string) => void;

/** Where progress goes unless a caller says otherwise: standard output belongs to results. */
export const toStandardError: Log = (line) => void process.stderr.write(`${line}\n`);

const REPORT_EVERY_MS = 5_000;

/** Seconds since `startedAt` (a `performance.now()`), as people read them. */
export function elapsed(startedAt: number): string {
  return `${Math.round((performance.now() - startedAt) / 1000)} s`;
}

/**
 * Does `work` and tells about it: when it starts, every few seconds with the time taken so far, and when it is done.
 * `detail` adds what the work is at.
 */
export async function withProgress<T>(log: Log, what: string, work: () => Promise<T>, detail: () => string = () => ""): Promise<T> {
  const startedAt = performance.now();
  log(`${what} …`);
  const timer = setInterval(() => log(`${what}: ${[detail(), elapsed(startedAt)].filter(Boolean).join(", ")}`), REPORT_EVERY_MS);
  try {
    const result = await work();
    log(`${what}: done in ${elapsed(startedAt)}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
