/** Waits until running user requests through the gate have finished. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const reportSchema = z.object({
  mode: z.enum(["open", "read-only", "closed"]),
  /** Null: the gate cannot read its state. */
  epoch: z.number().int().nullable(),
  pid: z.number().int(),
  /** Running user requests, without the verifier's, WebSockets and event streams. */
  inFlight: z.number().int(),
  /** WebSockets and event streams, the verifier's included. */
  streams: z.number().int(),
  /** `inFlight` by service. */
  services: z.record(z.string(), z.number().int()),
  /** Id of its configuration; absent: a gate of an earlier backout, which cannot change it. */
  configuration: z.string().optional(),
  /** Number of requested configuration changes, successful or not. */
  changes: z.number().int().optional(),
});

export type GateReport = z.infer<typeof reportSchema>;

export class GateUnreachableError extends Error {
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(
      `the traffic gate does not answer at ${url}: ${cause instanceof Error ? cause.message : String(cause)}; run the same command again to start it`,
      { cause },
    );
    this.name = "GateUnreachableError";
    this.url = url;
  }
}

/**
 * The gate's own report. It reads its state again before it answers: every later request is judged by that state.
 * @param url base URL of any of its listeners, e.g. `http://127.0.0.1:8080`.
 * @throws GateUnreachableError
 */
export async function askGate(url: string): Promise<GateReport> {
  const address = new URL("/__backout/gate", url).href;
  try {
    const response = await fetch(address, { headers: { connection: "close" }, signal: AbortSignal.timeout(5_000) });
    return reportSchema.parse(await response.json());
  } catch (error) {
    throw new GateUnreachableError(address, error);
  }
}

/**
 * Waits until the gate has seen `epoch` as closed (or read-only) and no user request is running. Does not throw after `timeoutMs`:
 * remaining requests end with the services.
 */
export async function waitDrained(
  url: string,
  options: { epoch: number; timeoutMs: number },
): Promise<{ drained: boolean; inFlight: number; waitedMs: number }> {
  const began = performance.now();
  for (;;) {
    const report = await askGate(url);
    const drained = report.epoch !== null && report.epoch >= options.epoch && report.mode !== "open" && report.inFlight === 0;
    const waitedMs = Math.round(performance.now() - began);
    if (drained || waitedMs >= options.timeoutMs) return { drained, inFlight: report.inFlight, waitedMs };
    await sleep(20);
  }
}
