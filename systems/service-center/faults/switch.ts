/** How a drill switches a defect of phase-2 on. */
import type { DrillContext } from "../../definition.ts";
import { AnswerError, login, request, type Access } from "../api.ts";

const TIMEOUT_MS = 10_000;

export class FaultNotSwitchedError extends Error {
  readonly fault: string;
  constructor(fault: string, cause: unknown) {
    super(
      `fault "${fault}" could not be switched on: ${cause instanceof Error ? cause.message : String(cause)}; ` +
        "it is a defect of phase-2, which must run with FAULTS_ENABLED=1 in its configuration",
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
export async function switchApp(context: DrillContext, name: string, figures: Record<string, number> = {}): Promise<void> {
  try {
    const access = accessOf(context);
    const { status, text } = await request(access, await login(access), "/__faults", {
      method: "POST",
      body: { name, on: true, ...figures },
    });
    if (status !== 200) throw new AnswerError("POST /__faults", status, text);
  } catch (error) {
    throw new FaultNotSwitchedError(name, error);
  }
}
