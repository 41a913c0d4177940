/** Verification: the system's own checks, through the gate with the verifier's pass. Only when every one has passed are users let in. */
import type { Pins } from "../../config/pins.ts";
import type { CheckResult } from "../../config/system/check.ts";
import { beginAttempt } from "../verification/attempt.ts";
import { checksFor, runChecks } from "../verification/checks.ts";
import { openContext } from "../verification/context.ts";
import { running, settleMs, staySteady } from "../verification/steady.ts";
import { usersCanWrite } from "../gate.ts";
import { step, StepOutcomeError } from "../run.ts";
import type { Run } from "../../config/run.ts";

/** Its detail is what ran when it was verified. */
export const STAY_UP = "services stay up";

/** At least one check failed; the gate stays closed. */
export class VerificationFailedError extends StepOutcomeError {
  readonly failed: CheckResult[];
  /** @param checked how many there were */
  constructor(failed: CheckResult[], checked: number) {
    super(
      `${failed.length} of ${checked} ${checked === 1 ? "check" : "checks"} failed: ${failed.map(({ name, detail }) => `${name} (${detail})`).join("; ")}`,
    );
    this.name = "VerificationFailedError";
    this.failed = failed;
  }
}

export async function verify(run: Run, pins: Pins): Promise<CheckResult[]> {
  const rollout = await run.state.rollout(run.epoch);
  if (rollout !== null) await beginAttempt(run, pins, rollout);
  const before = await running(run, pins);
  const ids = checksFor(run.definition, rollout?.plan.scope ?? null);
  const results = await step(
    run,
    { phase: "verify", kind: "check", name: `${ids.length} ${ids.length === 1 ? "check" : "checks"}` },
    () => check(run, pins, ids),
    (results) => ({ passed: results.filter(({ status }) => status === "passed").length }),
  );
  await step(
    run,
    { phase: "verify", kind: "stay-up", name: STAY_UP },
    () => staySteady(run, pins, before, settleMs(run.definition, rollout?.plan.forward !== false)),
    (seen) => seen,
  );
  if (rollout?.state !== "open") await run.state.setState(run.epoch, "verified");
  return results;
}

async function check(run: Run, pins: Pins, ids: string[]): Promise<CheckResult[]> {
  const context = await openContext(run, pins, { open: usersCanWrite(run.site), attempt: true });
  try {
    const results = await runChecks(run.definition, ids, context);
    const entry = { epoch: run.epoch, runId: run.runId, phase: "verify", kind: "results", step: "results" } as const;
    await run.state.note({ ...entry, status: "finished", detail: results });
    const failed = results.filter(({ status }) => status === "failed");
    if (failed.length > 0) throw new VerificationFailedError(failed, results.length);
    return results;
  } finally {
    await context.end();
  }
}
