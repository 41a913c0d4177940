/** How a drill switches a defect of phase-3.0.0 on. */
import type { DrillContext } from "../../definition.ts";
import { AnswerError, type Access } from "../api.ts";

const TIMEOUT_MS = 10_000;

export class FaultNotSwitchedError extends Error {
  readonly fault: string;
  constructor(fault: string, cause: unknown) {
    super(
      `fault "${fault}" could not be switched on: ${cause instanceof Error ? cause.message : String(cause)}; ` +
        "it is a defect of phase-3.0.0, which must run with FAULTS_ENABLED=1 in its configuration",
      { cause },
    );
    this.name = "FaultNotSwitchedError";
    this.fault = fault;
  }
}

export function accessOf(context: DrillContext): Access {
  return {
    url: (component) => context.url(component),
    secret: (name) => context.secret(name),
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }),
  };
}

/** @throws FaultNotSwitchedError */
export async function switchOn(context: DrillContext, name: string, figures: Record<string, number> = {}): Promise<void> {
  try {
    const response = await accessOf(context).fetch(`${context.url("app")}/__faults`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, on: true, ...figures }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new AnswerError("POST /__faults", response.status, text);
  } catch (error) {
    throw new FaultNotSwitchedError(name, error);
  }
}

/** One row of one column, a number. */
export function countOf(context: DrillContext, sql: string): number {
  const row = context.sqlite("production").prepare(sql).get() as { rows: number } | undefined;
  return row?.rows ?? 0;
}
