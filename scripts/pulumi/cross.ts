/** Brings a stack to changed pins by `pulumi up`, and tells afterwards what the state says happened. */
import { keepIntent, keptIntent, type Intent } from "../../state/intent.ts";
import { openState } from "../../databases/open-state.ts";
import { finished, type Noted, type StepFailure } from "../../config/journal.ts";
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
import { followEvents, type Said } from "./event-log.ts";
import { ensureStack, runPulumi, type PulumiOutcome } from "./pulumi-run.ts";
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
  exported: { path: string; sha256: string; rows: number }[];
  /** With `newWrites: reapply`, by database: rows that were put back, conflicts, and what the restored schema does not hold. */
  putBack: ReappliedTold[];
  /** How it went by the system's own targets; null where it has none, or is a deployment. */
  completion: Completion | null;
  /** Folder of the evidence; null where the system declares none. */
  evidence: string | null;
  /** Why it failed, and what to run next; null when it did not. */
  failure: string | null;
  /** Nothing was closed, stopped or changed. */
  refused: boolean;
  /** The command that goes on with an update, or carries out changed pins. */
  up: string;
}

export interface Crossed {
  runId: string;
  reason: string | null;
  /** Kept before anything is written, so that the next verb knows whose pins these are; absent: what is kept goes on to hold. */
  intent?: Omit<Intent, "after">;
}

/** Writes the pins and runs the update. A refused update leaves the stack file as it was. @throws StackChangedError */
export async function cross(before: OpenStack, text: string, { runId, reason, intent }: Crossed): Promise<RolloutOutcome> {
  // Selecting costs as much as a start of the engine; a file without the mark of a stack that was made belongs to none.
  if (!/^(?:encryptionsalt|secretsprovider):/m.test(before.text)) await ensureStack(before.project, before.stack);
  const startedAt = performance.now();
  const was = await begin(before, intent);
  let written: OpenStack | null = null;
  const undo = async (): Promise<void> => {
    if (written !== null) putBack(written, before.text);
    if (intent !== undefined) await withState(before, (state) => keepIntent(state, was.intent));
  };
  let ran: PulumiOutcome;
  try {
    written = writeStack(before, text);
    ran = await update(before, runId, reason);
    if (ran.code !== 0 && /^error: no stack named /m.test(ran.output)) {
      await ensureStack(before.project, before.stack);
      ran = await update(before, runId, reason);
    }
  } catch (error) {
    // There was no engine that could have changed anything.
    await undo();
    throw error;
  }
  const outcome = await outcomeOf(before, { runId, was: was.last }, (performance.now() - startedAt) / 1000, ran);
  if (outcome.refused) await undo();
  return outcome;
}

/** What somebody wrote meanwhile stays, and is told. */
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

/** Where there is no record yet there is nothing that could be mistaken. */
async function withState<T>({ site, definition }: OpenStack, work: (state: StateStore) => Promise<T>): Promise<T | null> {
  const state = await openState(site, definition).catch(() => null);
  return state === null ? null : work(state).finally(() => state.end());
}

async function update({ project, stack }: OpenStack, runId: string, reason: string | null): Promise<PulumiOutcome> {
  const events = followEvents(progress);
  try {
    return await runPulumi({
      project,
      stack,
      arguments: ["up", "--yes", "--skip-preview", "--suppress-outputs", ...events.arguments],
      environment: { ...events.environment, BACKOUT_RUN_ID: runId, ...(reason === null ? {} : { BACKOUT_REASON: reason }) },
    });
  } finally {
    events.end();
  }
}

/** Nothing is to be done: the stack is as it was opened last. */
export async function unchanged(stack: OpenStack, runId: string): Promise<RolloutOutcome> {
  const last = await withState(stack, (state) => state.lastRollout());
  return outcomeOf(stack, { runId, was: last }, 0, { code: 0, output: "" });
}

/** Of what is said only what our own resources say: phases, warnings. What Plan says was told before anything began, and a failure is told at the end. */
function progress({ urn, severity, message }: Said): void {
  if (severity === "debug" || severity === "error" || !/backout:index:(?!Plan::)\w+::/.test(urn)) return;
  for (const line of message.split("\n")) if (line.trim() !== "") say(`  ${severity === "warning" ? "! " : ""}${line}`);
}

async function outcomeOf(
  stack: OpenStack,
  { runId, was }: { runId: string; was: Rollout | null },
  seconds: number,
  { code, output }: PulumiOutcome,
): Promise<RolloutOutcome> {
  const { state, silent } = await askState(stack, code);
  try {
    const rollout = (await state?.lastRollout()) ?? null;
    const ours = rollout !== null && state !== null && (await worked(state, rollout, runId));
    const journal = ours ? await state.journal(rollout.epoch) : [];
    const scope = ours && rollout.plan.scope !== null ? stack.definition.scopes[rollout.plan.scope] : undefined;
    // Who cannot ask does not know whether anything was changed: then the pins stay.
    const refused = code !== 0 && silent === null && (!ours || rollout.state === "refused");
    const cut = finished(journal, "cut-over").findLast(({ detail }) => detail !== null)?.detail;
    const ended = finished(journal, "ended").at(-1)?.detail;
    const settled = isDone(was) && was?.epoch === rollout?.epoch;
    return {
      ok: code === 0,
      unchanged: code === 0 && settled,
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
      failure:
        code === 0
          ? null
          : refused
            ? failureOf(output)
            : whatNext(stack, failureOf(output), { silent, step: failedStep(journal, runId), opened: rollout?.state === "open" }),
      refused,
      up: upCommand(stack.site),
    };
  } finally {
    await state?.end();
  }
}

/** The state, or why it says nothing. A server of our own that died in the update is started, as the next update would. */
async function askState({ site, definition }: OpenStack, code: number): Promise<{ state: StateStore | null; silent: string | null }> {
  try {
    if (code !== 0) await startStoppedServer(site);
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

/** Adds to the engine's words what no failed step has said. */
function whatNext({ site }: OpenStack, failure: string, { silent, step, opened }: Became): string {
  const up = upCommand(site);
  const lines = [failure];
  if (silent !== null)
    lines.push(
      `What became of it is not known: the state does not answer (${silent}). The pins stay as they were written. Once it answers, run \`${up}\`: it goes on from where it is.`,
    );
  else if (step?.gateClosed !== true && usersAreOut(site))
    lines.push(`Users are kept out now (the gate is closed). Run \`${up}\`: it goes on from where it is.`);
  else if (opened && step === null)
    lines.push(`It has opened: users are let in. What comes after that was interrupted. Run \`${up}\`: it goes on from where it is.`);
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

/** What ends a message in the engine's summary. */
const HEADING = /^(?:backout|pulumi):\S+ \(.*\):$|^(?:error|warning): |^(?:Outputs|Resources|Policies|Duration):/;

/** The engine's error lines, without its own frame around them. */
function failureOf(output: string): string {
  // The reasons of what could not be made come as a list, of one.
  const lines = output.replace(/^(\s*error: )1 error occurred:\n\s*\* /gm, "$1").split("\n");
  const at = lines.findIndex((line) => /^Diagnostics:/.test(line));
  const said = (at === -1 ? lines : lines.slice(at + 1)).map((line) => line.trim());
  const errors: string[] = [];
  for (let index = 0; index < said.length; index++) {
    const found = /^error: (.*)$/.exec(said[index] ?? "");
    if (found?.[1] === undefined || found[1] === "update failed") continue;
    errors.push(found[1].replace(/^backout:index:\w+ resource '\w+' has a problem: /, ""));
    // A message may have empty lines of its own; what follows it begins with a heading.
    for (let next = index + 1; next < said.length && !HEADING.test(said[next]!); next++) if (said[next] !== "") errors.push(said[next]!);
  }
  const last = lines.slice(-5).join("\n").trim();
  return (
    [...new Set(errors)].join("\n") || last || "the engine ended without a word, as one that is killed does: run the same command again"
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
