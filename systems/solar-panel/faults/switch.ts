/** How a drill switches a defect of v2.0.0 on, and how it tries what the line would do. */
import type { DrillContext } from "../../definition.ts";
import { AnswerError, login, newPanel, request, type Access } from "../api.ts";

const TIMEOUT_MS = 10_000;

export class FaultNotSwitchedError extends Error {
  readonly fault: string;
  constructor(fault: string, cause: unknown) {
    super(
      `fault "${fault}" could not be switched on: ${cause instanceof Error ? cause.message : String(cause)}; it is a defect of v2.0.0, which must run with FAULTS_ENABLED=1 in its configuration`,
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
export async function switchLine(context: DrillContext, name: string): Promise<void> {
  try {
    const { status, text } = await request(accessOf(context), "", "POST", "/__faults", { name, on: true });
    if (status !== 200) throw new AnswerError("POST /__faults", status, text);
  } catch (error) {
    throw new FaultNotSwitchedError(name, error);
  }
}

/** Begins a panel, passes it on and takes it off again. Resolves with the refusal; null: all of it was accepted. */
export async function tryPanel(context: DrillContext): Promise<string | null> {
  const access = accessOf(context);
  const token = await login(access);
  const serial = `DRILL-${Date.now()}`;
  const path = `/api/panels/${serial}`;
  const begun = await request(access, token, "POST", "/api/panels", newPanel(serial, "tried by a drill"));
  if (begun.status !== 200) return `POST /api/panels answers ${begun.status}: ${begun.text}`;
  try {
    const passed = await request(access, token, "PUT", path, { notes: "passed on by a drill" });
    return passed.status === 200 ? null : `PUT /api/panels answers ${passed.status}: ${passed.text}`;
  } finally {
    await request(access, token, "DELETE", path);
  }
}
