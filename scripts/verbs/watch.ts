/**
 * `backout watch`: repeats checks after a rollout, resumes after an interruption, and reports the result.
 */
import type { Command } from "commander";
import { openState } from "../../databases/open-state.ts";
import type { Rollout } from "../../config/record.ts";
import { recordOutsideRun } from "../../rollout/audit-log.ts";
import { newRunId } from "../../config/run-id.ts";
import { commandOf } from "../../config/commands.ts";
import { editPins } from "../../config/edit.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { clockSpeed } from "../../rollout/verification/clock.ts";
import { carryThrough } from "../../rollout/verification/watch.ts";
import { watchesFolder, type WatchRecord } from "../../rollout/verification/watch-record.ts";
import { nextWatch, watchStates, type WatchState } from "../../rollout/verification/watches-due.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { NotDeployedError } from "../pulumi/not-deployed.ts";
import { openStack, stackFile, writeStack, type OpenStack } from "../pulumi/stack.ts";
import { painted, finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import type { NextWatch, WatchOutcome } from "../pulumi/answers.ts";

export async function watch(id: string | undefined, options: CommonOptions): Promise<WatchOutcome> {
  const stack = await openStack(stackFile(options.stack));
  const { definition, site } = stack;
  const known = Object.keys(definition.watches ?? {});
  if (id !== undefined && !known.includes(id))
    throw new UsageError(`watch "${id}" is not one of ${known.join(", ") || "none"}${suggestion(id, known)}`);
  const rollout = await openRollout(stack);
  const speed = clockSpeed();
  const states = watchStates(site, definition, rollout, speed);
  const chosen = id ?? nextWatch(definition, states)?.id;
  if (chosen === undefined) return nothingDue(stack, rollout, states, speed);
  refuseTooEarly(stack, states, chosen);
  const already = states.find((state) => state.id === chosen)?.state === "passed";
  const runId = newRunId("watch");
  // A deployment or rollback meanwhile is allowed: the watch notices it and ends. Only a second watch is locked out.
  const record = await withStackLock({ ...site, home: watchesFolder(site) }, `watch ${chosen}`, runId, () =>
    carryThrough({ site, definition, rollout, watch: chosen, runId, speed, say }),
  );
  const passed = record.end?.state === "passed";
  if (!already) await note(stack, record);
  const lifted = passed && (await liftFreeze(stack, chosen));
  return { ...told(stack, record, already), lifted, next: nextOf(stack, rollout, speed) };
}

/** @throws RefusedError if there is nothing to watch. */
async function openRollout(opened: OpenStack): Promise<Rollout> {
  const { site, definition, stack } = opened;
  const state = await openState(site, definition);
  const rollout = (await state?.lastRollout()) ?? null;
  await state?.end();
  if (rollout === null) throw new NotDeployedError(opened);
  if (rollout.state !== "open")
    throw new RefusedError(
      `rollout ${rollout.epoch} of ${stack} is "${rollout.state}", not open: finish it first (\`${commandOf(site.project, "backout", `status --stack ${stack}`)}\`)`,
    );
  return rollout;
}

/** The next watch after the last rollout; null: none, or unknown. */
export async function watchAfter(stack: OpenStack): Promise<NextWatch | null> {
  const rollout = await openRollout(stack).catch(() => null);
  return rollout === null ? null : nextOf(stack, rollout, clockSpeed());
}

function nextOf({ site, definition, stack }: OpenStack, rollout: Rollout, speed: number): NextWatch | null {
  const next = nextWatch(definition, watchStates(site, definition, rollout, speed));
  if (next === null) return null;
  const { id, title, minutes } = next;
  return { id, title, minutes, command: commandOf(site.project, "backout", `watch ${id} --stack ${stack}`) };
}

function refuseTooEarly({ definition, project, stack }: OpenStack, states: WatchState[], id: string): void {
  const follows = definition.watches![id]!.follows;
  const before = states.find((state) => state.id === follows);
  if (before !== undefined && before.state !== "passed")
    throw new RefusedError(
      `watch ${id} follows ${before.id}, which is ${before.state}: run \`${commandOf(project, "backout", `watch ${before.id} --stack ${stack}`)}\` first`,
    );
}

async function note({ site, definition, stack }: OpenStack, { begin, end, polls, gaps }: WatchRecord): Promise<void> {
  const entry = {
    runId: begin.runId,
    epoch: begin.epoch,
    event: "watch",
    system: definition.name,
    stack,
    watch: begin.watch,
    success: end?.state === "passed",
    reasons: end?.reasons ?? [],
    polls: polls.length,
    gaps: gaps.length,
    speed: begin.speed,
  };
  await recordOutsideRun({ site, definition, warn: (message) => say(`! ${message}`) }, entry);
}

async function liftFreeze({ site, stack }: OpenStack, id: string): Promise<boolean> {
  const now = await openStack(stackFile(stack));
  if (now.config.freeze?.until !== id) return false;
  return withStackLock(site, "lift the freeze", newRunId("freeze"), async () => {
    const found = stackFile(stack);
    writeStack(found, editPins(found.text, [{ path: ["freeze"], value: undefined }]));
    say("the freeze is lifted: newer releases may be deployed again");
    return true;
  });
}

function told({ stack }: OpenStack, { begin, end, polls, gaps, file }: WatchRecord, already: boolean) {
  const { watch: id, title, epoch, polls: of, speed } = begin;
  const unhealthy = polls.filter(({ healthy }) => !healthy);
  const reasons = end?.reasons ?? [];
  const passed = end?.state === "passed";
  return { stack, watch: id, title, passed, already, epoch, polls: polls.length, of, unhealthy, gaps, reasons, speed, record: file };
}

function nothingDue({ stack, definition }: OpenStack, { epoch, plan }: Rollout, states: WatchState[], speed: number): WatchOutcome {
  const what = plan.forward ? "the deployment" : `scope ${plan.scope ?? "of these pins"}`;
  say(states.length === 0 ? `${definition.name} has no watch after ${what}` : `unchanged: every watch after ${what} has passed`);
  const nothing = {
    watch: null,
    title: null,
    polls: 0,
    of: 0,
    unhealthy: [],
    gaps: [],
    reasons: [],
    record: null,
    lifted: false,
    next: null,
  };
  return { ...nothing, stack, passed: true, already: states.length > 0, epoch, speed };
}

export function tellWatch(outcome: WatchOutcome): void {
  const { watch: id, title, passed, already, polls, of, unhealthy, gaps, reasons, speed, record, next } = outcome;
  const lines: string[] = [];
  if (id !== null) {
    const verdict = passed ? `passed${already ? " (unchanged)" : ""}` : painted("red", "failed");
    lines.push(`${id} (${title ?? ""}): ${verdict}; ${polls - unhealthy.length} of ${polls} polls healthy, ${of} required`);
    for (const reason of reasons) lines.push(`  ${reason}`);
    for (const { from, to, seconds } of gaps) lines.push(`  no polls for ${seconds} s, from ${from} to ${to}`);
    if (speed !== 1) lines.push(`  a rehearsal: its clock ran ${speed} times as fast as real time`);
    lines.push(`  record: ${record ?? ""}`);
  }
  if (next !== null) lines.push(nextLine(next));
  print(`${lines.join("\n")}${lines.length > 0 ? "\n" : ""}`);
}

export function nextLine({ title, minutes, command }: NextWatch): string {
  return `next: ${title} (${minutes} min): ${command}`;
}

export function addWatch(program: Command): void {
  program
    .command("watch [id]")
    .description("repeat checks for some time after a rollout; a watch that was interrupted resumes")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (id: string | undefined, options: CommonOptions) =>
      finish(
        options.json,
        () => watch(id, options),
        tellWatch,
        ({ passed }) => passed,
      ),
    );
}
