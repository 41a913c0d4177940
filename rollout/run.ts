/** A run works its way through the phases of one rollout; every step is journalled where the data is. */
import { RefusedError } from "../config/errors.ts";
import { commandOf, upCommand } from "../config/commands.ts";
import type { Site } from "../config/site.ts";
import { failpoint, stepPoint } from "../processes/failpoints.ts";
import { isBypassed, usersAreOut } from "./gate.ts";
import type { Phase } from "../config/phases.ts";
import type { StepDetails, StepKind } from "../config/journal.ts";
import type { Run } from "../config/run.ts";

/** A failure whose message is complete without the step's name: "2 of 13 checks failed: …". */
export class StepOutcomeError extends Error {}

/** A step failed; says which one, whether users are kept out, and what to run next. */
export class StepFailedError extends Error {
  readonly phase: Phase;
  readonly step: string;
  readonly gateClosed: boolean;
  /** @param left release that this deploys over; null: it is no deployment, or that is not known. */
  constructor(site: Site, phase: Phase, step: string, cause: unknown, left: string | null = null) {
    const gateClosed = usersAreOut(site);
    const up = `\`${upCommand(site)}\``;
    const back =
      left === null
        ? `pin the previous release and run ${up}`
        : `go back to ${left}: \`${commandOf(site.project, "backout", `rollback --stack ${site.stack}`)}\``;
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `${phase}: ${cause instanceof StepOutcomeError ? "" : `${step} failed: `}${reason}\n` +
        (gateClosed
          ? `The gate stays closed: users get 503 until verification has passed. Fix the cause and run ${up} to resume; or ${back}.`
          : isBypassed(site)
            ? `Nobody keeps users out; what was stopped stays stopped. Fix the cause and run ${up} to resume; or ${back}.`
            : `Nothing was closed. Fix the cause and run ${up} again.`),
      { cause },
    );
    this.name = "StepFailedError";
    this.phase = phase;
    this.step = step;
    this.gateClosed = gateClosed;
  }
}

/** Refused before the data was touched; what had been stopped runs again and the gate is as it was. */
export class RolloutRefusedError extends RefusedError {
  constructor(message: string) {
    super(message);
    this.name = "RolloutRefusedError";
  }
}

/** Why what was planned is not carried out although the databases answer now. */
export const UNSEEN = "the databases could not be reached when this was planned";

/** What a step is: `name` is the sentence that is shown, and what its failpoints are called after. */
interface StepHead<K extends StepKind> {
  phase: Phase;
  kind: K;
  name: string;
}

/**
 * Runs one step of a phase: journalled, timed, and with its failure kept in the rollout's record.
 * @param detail what the journal keeps of the result
 */
export async function step<K extends StepKind, T>(
  run: Run,
  { phase, kind, name }: StepHead<K>,
  work: () => Promise<T>,
  detail: (result: T) => StepDetails[K],
): Promise<T> {
  const entry = { epoch: run.epoch, runId: run.runId, phase, kind, step: name };
  await run.state.note<K>({ ...entry, status: "started" });
  const startedAt = performance.now();
  try {
    for (const point of [`${phase}.before`, stepPoint(phase, name, "before")]) await failpoint(point);
    const result = await work();
    for (const point of [stepPoint(phase, name, "after"), `${phase}.after`]) await failpoint(point);
    const durationMs = performance.now() - startedAt;
    await run.state.note<K>({ ...entry, status: "finished", durationMs, detail: detail(result) });
    run.log("info", `${phase}: ${name} (${Math.round(durationMs)} ms)`);
    return result;
  } catch (error) {
    if (error instanceof RolloutRefusedError) throw error;
    const failed = new StepFailedError(run.site, phase, name, error, await deployedOver(run));
    const detail = { error: failed.message.split("\n")[0]!, gateClosed: failed.gateClosed };
    // The server may be what failed.
    await run.state
      .note<K>({ ...entry, status: "failed", durationMs: performance.now() - startedAt, detail })
      .then(() => run.state.setFailure(run.epoch, `${phase}: ${name}`))
      .then(() => run.failed?.(run, `${phase}: ${name}`))
      .catch(() => undefined);
    throw failed;
  }
}

/** The release that a deployment replaces; null: it is no deployment, or the state does not answer. */
async function deployedOver({ state, epoch }: Run): Promise<string | null> {
  const plan = (await state.rollout(epoch).catch(() => null))?.plan;
  return plan?.forward === true && plan.fromRelease !== plan.toRelease ? plan.fromRelease : null;
}
