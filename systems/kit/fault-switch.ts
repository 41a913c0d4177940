/** Switches on a defect of a sample release over HTTP, for drills, and connects to the system meanwhile. */
import type { Access } from "./client.ts";
import type { DrillContext } from "../../config/system/drill.ts";

const TIMEOUT_MS = 10_000;

/** A defect could not be switched on: the drill would test nothing. */
export class FaultNotSwitchedError extends Error {
  readonly fault: string;
  /** @param release the release with the defect. */
  constructor(fault: string, release: string, cause: unknown) {
    super(
      `fault "${fault}" could not be switched on: ${cause instanceof Error ? cause.message : String(cause)}; ` +
        `it is a defect of ${release}, which must run with FAULTS_ENABLED=1 in its configuration`,
      { cause },
    );
    this.name = "FaultNotSwitchedError";
    this.fault = fault;
  }
}

/** A drill's access to the system. */
export function accessOf(context: DrillContext): Access {
  return {
    url: (service) => context.url(service),
    secret: (name) => context.secret(name),
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }),
  };
}

export interface Switch {
  service: string;
  /** The release that has the defect. */
  release: string;
  fault: string;
  figures?: Record<string, number>;
  /** Further headers that the service requires. */
  headers?: Record<string, string>;
}

/** @throws FaultNotSwitchedError */
export async function switchFault(context: DrillContext, { service, release, fault, figures = {}, headers = {} }: Switch): Promise<void> {
  try {
    const response = await accessOf(context).fetch(`${context.url(service)}/__faults`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ name: fault, on: true, ...figures }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`POST /__faults answered ${response.status}: ${text.slice(0, 160).trim()}`);
  } catch (error) {
    throw new FaultNotSwitchedError(fault, release, error);
  }
}
