/** Waiting until what users had under way through the gate is finished. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const reportSchema = z.object({
  mode: z.enum(["open", "read-only", "closed"]),
  /** Null where the gate cannot read its state. */
  epoch: z.number().int().nullable(),
  pid: z.number().int(),
  /** Users' requests under way; the verifier's, WebSockets and event streams not counted. */
  inFlight: z.number().int(),
  /** WebSockets and event streams, the verifier's included. */
  streams: z.number().int(),
  /** `inFlight` by service. */
  services: z.record(z.string(), z.number().int()),
  /** Id of its configuration; absent where the gate is of an earlier backout, which cannot change it. */
  configuration: z.string().optional(),
  /** How often it was told to take another one, whether it could or not. */
  changes: z.number().int().optional(),
});

export type GateReport = z.infer<typeof reportSchema>;

export class GateUnreachableError extends Error {
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(
      `the traffic gate does not answer at ${url}: ${cause instanceof Error ? cause.message : String(cause)}; the same command again starts it`,
      { cause },
    );
    this.name = "GateUnreachableError";
    this.url = url;
  }
}

/**
 * What the gate itself says. It reads its state anew before it answers: every request that reaches it later is judged by that state.
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
 * Waits until the gate has seen `epoch` as closed (or read-only) and nothing of the users is under way. Does not throw when `timeoutMs`
 * pass: what is still under way is ended with the services.
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
