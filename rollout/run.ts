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

/** What a rollout that failed leaves: the release that it deploys over, what was adopted, or nothing. Null: it is no deployment, or that is not known. */
type Left = { release: string } | "adopted" | "nothing" | null;

function wayBack({ project, stack }: Site, left: Left): string {
  if (left === "nothing") return ": it is the first deployment, so there is no release to go back to";
  if (left === "adopted") {
    const destroy = commandOf(project, "pulumi", `destroy --stack ${stack}`);
    return `; or give back what was adopted: \`${destroy}\` ends these services, then start what ran before`;
  }
  return left === null
    ? `; or pin the previous release and run \`${upCommand({ project, stack })}\``
    : `; or go back to ${left.release}: \`${commandOf(project, "backout", `rollback --stack ${stack}`)}\``;
}

/** A step failed; says which one, whether users are kept out, and what to run next. */
export class StepFailedError extends Error {
  readonly phase: Phase;
  readonly step: string;
  readonly gateClosed: boolean;
  /** Why, without what to run next. */
  readonly reason: string;
  constructor(site: Site, phase: Phase, step: string, cause: unknown, left: Left = null) {
    const gateClosed = usersAreOut(site);
    const up = `\`${upCommand(site)}\``;
    const back = wayBack(site, left);
    const said = cause instanceof Error ? cause.message : String(cause);
    const reason = `${phase}: ${cause instanceof StepOutcomeError ? "" : `${step} failed: `}${said}`;
    super(
      `${reason}\n` +
        (gateClosed
          ? `The gate stays closed: users get 503 until verification has passed. Fix the cause and run ${up} to resume${back}.`
          : isBypassed(site)
            ? `Nobody keeps users out; what was stopped stays stopped. Fix the cause and run ${up} to resume${back}.`
            : `Nothing was closed. Fix the cause and run ${up} again.`),
      { cause },
    );
    this.name = "StepFailedError";
    this.phase = phase;
    this.step = step;
    this.gateClosed = gateClosed;
    this.reason = reason;
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
    const detail = { error: failed.message.split("\n")[0]!, reason: failed.reason, gateClosed: failed.gateClosed };
    // The server may be what failed.
    await run.state
      .note<K>({ ...entry, status: "failed", durationMs: performance.now() - startedAt, detail })
      .then(() => run.state.setFailure(run.epoch, `${phase}: ${name}`))
      .then(() => run.failed?.(run, `${phase}: ${name}`))
      .catch(() => undefined);
    throw failed;
  }
}

async function deployedOver({ state, epoch }: Run): Promise<Left> {
  const plan = (await state.rollout(epoch).catch(() => null))?.plan;
  if (plan === undefined) return null;
  const opened = await state.lastOpenRollout().catch(() => undefined);
  if (opened != null && plan.forward && plan.fromRelease !== null && plan.fromRelease !== plan.toRelease)
    return { release: plan.fromRelease };
  if (plan.adopted === true || opened?.plan.adopted === true) return "adopted";
  return plan.fromRelease === null || opened === null ? "nothing" : null;
}
