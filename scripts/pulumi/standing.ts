/** Where a stack stands by its state: what opened last, what is unfinished, and which verb began it. */
import { keptIntent, type Intent } from "../../state/intent.ts";
import { openState } from "../../databases/open-state.ts";
import type { CatalogueDatabase, Rollout, Snapshot, Opening } from "../../config/record.ts";
import { isDone, inspect, type Reach } from "../../rollout/inspect.ts";
import { commandOf, upCommand } from "../../config/commands.ts";
import { editPins } from "../../config/edit.ts";
import { rolloutOf, type Pins } from "../../config/pins.ts";
import { NotDeployedError } from "./not-deployed.ts";
import type { OpenStack } from "./stack.ts";
import { say } from "./outcome.ts";
import { RefusedError } from "../../config/errors.ts";

export interface Standing {
  reach: Reach;
  /** Last rollout, whatever became of it. */
  last: Rollout | null;
  /** The one that opened last: what a way back leads to. */
  lastOpen: Rollout | null;
  snapshots: Snapshot[];
  /** Rollouts that opened, oldest first. */
  opened: Opening[];
  catalogue: CatalogueDatabase[];
  /** Of the verb that wrote pins last. */
  intent: Intent | null;
  pending: Pending | null;
}

/** Begun, and not done. */
export interface Pending {
  /** Of the verb that began it; null: it was begun by `pulumi up`. */
  intent: Intent | null;
  /** Null: its pins are written, and nothing else has happened. */
  rollout: Rollout | null;
  /** It leads to a newer release. */
  forward: boolean;
  /** The release it leads to. */
  release: string;
  /** What it is and how far it is, in words. */
  title: string;
  /** What goes on with it, as it is typed here. */
  command: string;
}

export async function standingOf(stack: OpenStack): Promise<Standing> {
  const { site, definition } = stack;
  const { reach, last, lastOpen, snapshots, catalogue, opened } = await inspect(site, definition);
  const nothing = { reach, last, lastOpen, snapshots, catalogue, opened, intent: null, pending: null };
  if (reach.kind !== "reached") return nothing;
  const intent = await intentKept(stack);
  return { ...nothing, intent, pending: pendingOf(stack, last, intent) };
}

/** What the verb that wrote pins last was about to do. */
export async function intentKept({ site, definition }: OpenStack): Promise<Intent | null> {
  const state = await openState(site, definition);
  return state === null ? null : keptIntent(state).finally(() => state.end());
}

/** What was begun and is not done. Pure. */
export function pendingOf(
  { site, pins }: { site: OpenStack["site"]; pins: Pins },
  last: Rollout | null,
  intent: Intent | null,
): Pending | null {
  const command = (of: Intent | null): string => (of === null ? upCommand(site) : commandOf(site.project, "backout", of.command));
  const isBack = (of: Intent): boolean => of.verb !== "deploy" || of.failed !== undefined;
  const epoch = last?.epoch ?? 0;
  const ofLast = intent !== null && intent.rollout === last?.rollout;
  if (intent !== null && !ofLast && intent.after === epoch && intent.rollout === rolloutOf(pins)) {
    const title = `\`${command(intent)}\` (run ${intent.runId}) has written its pins and was interrupted before anything was stopped`;
    return { intent, rollout: null, forward: !isBack(intent), release: pins.release, title, command: command(intent) };
  }
  if (last === null || last.state === "refused" || isDone(last)) return null;
  const own = ofLast ? intent : null;
  const { fromRelease, toRelease, forward } = last.plan;
  const how = last.failure === null ? "" : `, failed at ${last.failure}`;
  return {
    intent: own,
    rollout: last,
    forward: own === null ? forward && fromRelease !== toRelease : !isBack(own),
    release: toRelease,
    title: `${own === null ? "an update" : `\`${command(own)}\``} is unfinished: rollout ${epoch}, ${fromRelease ?? "nothing"} → ${toRelease}, is "${last.state}"${how}`,
    command: command(own),
  };
}

/** @throws RefusedError where nobody can know what runs. */
export function requireReach({ reach }: Standing): void {
  if (reach.kind === "unreachable") throw new RefusedError(`the database cannot be reached, nothing was changed: ${reach.reason}`);
}

/** @throws RefusedError where nothing has opened yet. */
export function requireDeployed(stack: OpenStack, standing: Standing): void {
  requireReach(standing);
  if (standing.lastOpen !== null) return;
  const { pending } = standing;
  throw pending === null ? new NotDeployedError(stack) : new RefusedError(`${pending.title}: it is the first; run \`${pending.command}\``);
}

/** Whether the verb that wrote pins last is this one with this goal: still on its way, or done with what is open now. */
export function askedBefore({ intent, pending, last }: Standing, verb: Intent["verb"], goal: string): Intent | null {
  if (intent === null || intent.verb !== verb || intent.goal !== goal) return null;
  const done = pending === null && last?.state === "open" && last.rollout === intent.rollout;
  return pending?.intent === intent || done ? intent : null;
}

/** Whether bringing the stack to these pins goes on with what was begun, whose words then stand. Says so. */
export function goesOnWith({ intent, pending, last }: Standing, { pins }: OpenStack): boolean {
  const rollout = rolloutOf(pins);
  if (pending !== null && (pending.intent?.rollout === rollout || pending.rollout?.rollout === rollout)) {
    say(`${pending.title}: resuming it`);
    return pending.intent?.rollout === rollout;
  }
  // What is done already keeps the words by which it was done.
  return intent?.rollout === rollout && last?.rollout === rollout;
}

/** The stack file with what a verb has written, or was about to write. */
export function textOf(stack: OpenStack, { rollout, edits }: Intent): string {
  return rolloutOf(stack.pins) === rollout ? stack.text : editPins(stack.text, edits);
}

/**
 * @param anew whether what is unfinished is abandoned; null: this verb has no such option.
 * @param given whether this verb abandons it without the option, and says so.
 * @throws RefusedError where something else is unfinished
 */
export function requireSettled(
  { pending }: Standing,
  anew: boolean | undefined | null,
  given: (pending: Pending) => boolean = () => false,
): void {
  if (pending === null) return;
  if (anew === true || given(pending)) return say(`! ${pending.title}; it is abandoned for this`);
  const instead = anew === null ? "" : "; to abandon it, repeat with --anew";
  throw new RefusedError(`${pending.title}. To resume it, run \`${pending.command}\`${instead}; nothing was changed`);
}

/** It failed by itself and reported that, so that the operator may decide. An interrupted one has reported nothing. */
export function hasFailed({ rollout }: Pending): boolean {
  return rollout?.failure != null;
}
