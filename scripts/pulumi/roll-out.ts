/** Brings a stack to changed pins by `pulumi up`, and reports from the state what happened. */
import { keepIntent, keptIntent, type Intent } from "../../state/intent.ts";
import { openState } from "../../databases/open-state.ts";
import { finished, type ExportFile, type Noted, type StepFailure } from "../../config/journal.ts";
import type { StateStore, Rollout } from "../../config/record.ts";
import { isDone } from "../../rollout/inspect.ts";
import { PHASES } from "../../config/phases.ts";
import { reappliedBy, type ReappliedTold } from "../../rollout/steps/reapply.ts";
import type { Completion } from "../../config/system/completion.ts";
import type { ScopeDefinition } from "../../config/system/definition.ts";
import type { CheckResult } from "../../config/system/check.ts";
import { upCommand } from "../../config/commands.ts";
import { usersAreOut } from "../../rollout/gate.ts";
import { startStoppedServer } from "./embedded-server.ts";
import { ensureStack } from "./pulumi-run.ts";
import { runUpdate, type UpdateOutcome } from "./update.ts";
import { type OpenStack, StackChangedError, writeStack } from "./stack.ts";
import { say } from "./outcome.ts";

export interface PhaseTime {
  name: string;
  seconds: number;
  budgetSeconds: number | null;
  status: "done" | "failed" | "over budget";
}

export interface RolloutOutcome {
  ok: boolean;
  /** The stack was as it was to be: nothing was stopped, and there is no new rollout. */
  unchanged: boolean;
  /** Something did not run as it had opened, and was corrected without a rollout of its own. */
  corrected: boolean;
  runId: string;
  epoch: number | null;
  /** Of the last rollout; `none` before the first, `unknown` where the state cannot be asked. */
  state: string;
  scope: string | null;
  from: string | null;
  to: string;
  seconds: number;
  cutOverMs: number | null;
  quarantine: string | null;
  /** Replication slots and publications that went with what was live, in words. */
  wentAlong: string[];
  phases: PhaseTime[];
  checks: CheckResult[];
  exported: ExportFile[];
  /** With `newWrites: reapply`, by database: rows that were put back, conflicts, and what the restored schema does not hold. */
  putBack: ReappliedTold[];
  /** How it went by the system's own targets; null where it has none, or is a deployment. */
  completion: Completion | null;
  /** Folder of the evidence; null where the system declares none. */
  evidence: string | null;
  /** Why it failed, and what to run next; null when it did not. */
  failure: string | null;
  /** Why it failed, without what to run next; null when it did not. */
  reason: string | null;
  /** Nothing was closed, stopped or changed. */
  refused: boolean;
  /** The command that goes on with an update, or carries out changed pins. */
  up: string;
}

export interface RolloutRequest {
  runId: string;
  reason: string | null;
  /** Kept before anything is written, so that the next verb knows whose pins these are; absent: what is kept goes on to hold. */
  intent?: Omit<Intent, "after">;
}

/** Writes the pins and runs the update. A refused update leaves the stack file as it was. @throws StackChangedError */
export async function rollOut(before: OpenStack, text: string, { runId, reason, intent }: RolloutRequest): Promise<RolloutOutcome> {
  // Selecting costs as much as a start of the engine; a file without the mark of a stack that was made belongs to none.
  if (!/^(?:encryptionsalt|secretsprovider):/m.test(before.text)) await ensureStack(before.project, before.stack);
  const startedAt = performance.now();
  const was = await begin(before, intent);
  let written: OpenStack | null = null;
  const undo = async (): Promise<void> => {
    if (written !== null) putBack(written, before.text);
    if (intent !== undefined) await withState(before, (state) => keepIntent(state, was.intent));
  };
  let ran: UpdateOutcome;
  try {
    written = writeStack(before, text);
    ran = await runUpdate(before, runId, reason);
  } catch (error) {
    // There was no engine that could have changed anything.
    await undo();
    throw error;
  }
  const outcome = await outcomeOf(before, { runId, was: was.last }, (performance.now() - startedAt) / 1000, ran);
  if (outcome.refused) await undo();
  return outcome;
}

/** A stack file that was edited meanwhile stays as it is, which is reported. */
function putBack(written: OpenStack, text: string): void {
  try {
    writeStack(written, text);
  } catch (error) {
    if (!(error instanceof StackChangedError)) throw error;
    say(`! ${error.message}`);
  }
}

/** What is true before: the last rollout, and whose pins stand in the stack file. */
async function begin(
  stack: OpenStack,
  intent: Omit<Intent, "after"> | undefined,
): Promise<{ last: Rollout | null; intent: Intent | null }> {
  const was = await withState(stack, async (state) => {
    const last = await state.lastRollout();
    const kept = await keptIntent(state);
    if (intent !== undefined) await keepIntent(state, { ...intent, after: last?.epoch ?? 0 });
    return { last, intent: kept };
  });
  return was ?? { last: null, intent: null };
}

/** Null: there is no state yet. */
async function withState<T>({ site, definition }: OpenStack, work: (state: StateStore) => Promise<T>): Promise<T | null> {
  const state = await openState(site, definition).catch(() => null);
  return state === null ? null : work(state).finally(() => state.end());
}

/** Nothing is to be done: the stack is as it was opened last. */
export async function unchanged(stack: OpenStack, runId: string): Promise<RolloutOutcome> {
  const last = await withState(stack, (state) => state.lastRollout());
  return outcomeOf(stack, { runId, was: last }, 0, { failure: null });
}

async function outcomeOf(
  stack: OpenStack,
  { runId, was }: { runId: string; was: Rollout | null },
  seconds: number,
  { failure }: UpdateOutcome,
): Promise<RolloutOutcome> {
  const { state, silent } = await askState(stack, failure !== null);
  try {
    const rollout = (await state?.lastRollout()) ?? null;
    const ours = rollout !== null && state !== null && (await worked(state, rollout, runId));
    const journal = ours ? await state.journal(rollout.epoch) : [];
    const scope = ours && rollout.plan.scope !== null ? stack.definition.scopes[rollout.plan.scope] : undefined;
    // Where the state does not answer, it is not known whether anything was changed: the pins stay.
    const refused = failure !== null && silent === null && (!ours || rollout.state === "refused");
    const step = failure === null ? null : failedStep(journal, runId);
    const cut = finished(journal, "cut-over").findLast(({ detail }) => detail !== null)?.detail;
    const ended = finished(journal, "ended").at(-1)?.detail;
    const settled = isDone(was) && was?.epoch === rollout?.epoch;
    return {
      ok: failure === null,
      unchanged: failure === null && settled,
      corrected: false,
      runId,
      epoch: rollout?.epoch ?? null,
      state: silent !== null ? "unknown" : (rollout?.state ?? "none"),
      scope: rollout?.plan.scope ?? null,
      from: ours || settled ? rollout!.plan.fromRelease : null,
      to: rollout?.plan.toRelease ?? stack.config.release,
      seconds: round(seconds),
      cutOverMs: cut == null ? null : Math.round(cut.cutOverMs * 10) / 10,
      quarantine: cut?.quarantine ?? null,
      wentAlong: cut?.wentAlong ?? [],
      phases: phaseTimes(journal, scope, isDone(rollout)),
      checks: finished(journal, "results").at(-1)?.detail ?? [],
      exported: ours ? await state.exports(rollout.epoch) : [],
      putBack: ours ? await reappliedBy({ state, definition: stack.definition }, rollout.epoch) : [],
      completion: ended?.completion ?? null,
      evidence: ended?.evidence ?? null,
      failure: failure === null || refused ? failure : whatNext(stack, failure, { silent, step, opened: rollout?.state === "open" }),
      reason: step?.reason ?? failure,
      refused,
      up: upCommand(stack.site),
    };
  } finally {
    await state?.end();
  }
}

/** The state, or why it says nothing. A server of our own that died in the update is started, as the next update would. */
async function askState({ site, definition }: OpenStack, failed: boolean): Promise<{ state: StateStore | null; silent: string | null }> {
  try {
    if (failed) await startStoppedServer(site);
    return { state: await openState(site, definition), silent: null };
  } catch (error) {
    return { state: null, silent: (error as Error).message };
  }
}

/** The step that failed in this run, whose message says what to run next; null: the run was interrupted, or lost the provider. */
function failedStep(journal: readonly Noted[], runId: string): StepFailure | null {
  const failed = journal.findLast((entry) => entry.runId === runId && entry.status === "failed");
  return failed?.status === "failed" ? failed.detail : null;
}

interface Became {
  /** Why the state does not answer; null: it does. */
  silent: string | null;
  step: StepFailure | null;
  opened: boolean;
}

/** Adds what to run next where no failed step has said so. */
function whatNext({ site }: OpenStack, failure: string, { silent, step, opened }: Became): string {
  const up = upCommand(site);
  const lines = [failure];
  if (silent !== null)
    lines.push(
      `The outcome is not known: the state does not answer (${silent}). The pins stay as written. Once it answers, run \`${up}\` to resume.`,
    );
  else if (step?.gateClosed !== true && usersAreOut(site))
    lines.push(`Users are kept out now (the gate is closed). Run \`${up}\` to resume.`);
  else if (opened && step === null) lines.push(`Users are let in. What comes after opening was interrupted. Run \`${up}\` to resume.`);
  return lines.join("\n");
}

async function worked(state: StateStore, rollout: Rollout, runId: string): Promise<boolean> {
  return rollout.runId === runId || (await state.journal(rollout.epoch)).some((entry) => entry.runId === runId);
}

type PhaseStep = Pick<Noted, "runId" | "phase" | "kind" | "status" | "at">;

/**
 * Seconds per phase: from the first start to the last end of its steps, in each run that worked at it; what lay between runs is nobody's work.
 * @param done whether the rollout is: of one that was interrupted between two steps the last phase is not.
 */
export function phaseTimes(journal: readonly PhaseStep[], scope: ScopeDefinition | undefined, done = true): PhaseTime[] {
  const reached = journal.findLast(({ kind }) => kind !== "results")?.phase;
  return PHASES.flatMap((name) => {
    const entries = journal.filter(({ phase, kind }) => phase === name && kind !== "results");
    const last = entries.at(-1);
    if (last === undefined) return [];
    const runs = [...Map.groupBy(entries, ({ runId }) => runId).values()];
    const seconds = round(runs.reduce((sum, run) => sum + Date.parse(run.at(-1)!.at) - Date.parse(run[0]!.at), 0) / 1000);
    const budgetSeconds = scope?.phaseBudgets[name] ?? null;
    const failed = last.status === "failed" || last.status === "started" || (!done && name === reached);
    return [
      {
        name,
        seconds,
        budgetSeconds,
        status: failed
          ? ("failed" as const)
          : budgetSeconds !== null && seconds > budgetSeconds
            ? ("over budget" as const)
            : ("done" as const),
      },
    ];
  });
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
