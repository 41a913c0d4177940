/**
 * What happens in one round: an action, and who is killed when. Pure: the same seed, round and state of the system make the same choices.
 */
import type { SystemDefinition } from "../../config/system/definition.ts";
import { PHASES } from "../../config/phases.ts";
import type { Dice } from "../dice.ts";

/** `exits`: at once; `stops`: two seconds after its start; `stranger`: it says that it is another release. */
const DEFECTS = ["exits", "stops", "stranger"] as const;
export type Defect = (typeof DEFECTS)[number];

export type Way = "verb" | "pins";

export type Action =
  | { kind: "deploy"; by: Way }
  /** A release that cannot run: the deployment rolls back automatically. */
  | { kind: "failing-deploy"; defect: Defect }
  | { kind: "rollback"; scope: string; by: Way }
  | { kind: "undo"; by: Way };

export const VICTIMS = ["verb", "cli", "host", "provider", "service", "gate", "postgres", "standby", "retention"] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Kill {
  victim: Victim;
  /** Time after the start of the command, or a failpoint of a phase in the provider. */
  moment: { afterMs: number } | { point: string };
  /** In the same command as the kill before it. */
  together: boolean;
}

export interface Choices {
  action: Action;
  kills: Kill[];
  /** After a command that was killed without output: the same command again, or the one that status advises. */
  again: boolean;
}

export interface State {
  /** Whether the newer release of the drill is pinned. */
  forward: boolean;
  /** Whether users may write: if not, nothing can be lost. */
  open: boolean;
  /** Whether the last rollback set data aside that nobody wrote over. */
  undoable: boolean;
  /** The undo as a verb. */
  undoVerb: boolean;
}

export const MOST_KILLS = 3;
/** An action takes some seconds; what comes later hits a service, the gate, the server or the making of a standby copy. Milliseconds. */
const LATEST_MS = 9_000;

/** Scopes without arguments: neither of one service, nor with a repair. */
export function plainScopes({ scopes }: SystemDefinition): string[] {
  return Object.entries(scopes).flatMap(([name, { pins }]) =>
    pins.service === undefined && typeof pins.data !== "object" && pins.constraints === undefined ? [name] : [],
  );
}

export function choose(dice: Dice, definition: SystemDefinition, state: State): Choices {
  const action = actionOf(dice, definition, state);
  const kills = Array.from({ length: dice.chance(0.1) ? 0 : dice.between(1, MOST_KILLS) }, (_, index) => killOf(dice, definition, index));
  return { action, kills, again: dice.chance(0.5) };
}

function actionOf(dice: Dice, definition: SystemDefinition, { forward, open, undoable, undoVerb }: State): Action {
  const by = (): Way => dice.pick(["verb", "pins"] as const);
  if (!open && !forward && dice.chance(0.8)) return { kind: "deploy", by: by() };
  if (dice.chance(0.2)) return { kind: "failing-deploy", defect: dice.pick(DEFECTS) };
  if (forward) return { kind: "rollback", scope: dice.pick(plainScopes(definition)), by: by() };
  if (undoable && dice.chance(0.4)) return { kind: "undo", by: undoVerb ? by() : "pins" };
  return { kind: "deploy", by: by() };
}

function killOf(dice: Dice, definition: SystemDefinition, index: number): Kill {
  const onServer = Object.values(definition.databases).some(({ engine }) => engine === "postgres");
  const victim = dice.pick(VICTIMS.filter((one) => onServer || one !== "postgres"));
  const together = index > 0 && dice.chance(0.2);
  const when = dice.pick(["before", "after"] as const);
  if (victim === "retention")
    return { victim, moment: { point: dice.pick([`finalize.retention.${when}`, "finalize.before", "finalize.after"]) }, together };
  // The process that makes standby copies exists only after an update.
  const early = victim === "standby" ? LATEST_MS / 3 : 200;
  const atPoint = victim !== "standby" && dice.chance(0.3);
  return { victim, moment: atPoint ? { point: `${dice.pick(PHASES)}.${when}` } : { afterMs: dice.between(early, LATEST_MS) }, together };
}

export function showAction(action: Action): string {
  switch (action.kind) {
    case "deploy":
      return `deploy by ${action.by}`;
    case "failing-deploy":
      return `deploy of a release that ${action.defect === "stranger" ? "answers for another" : action.defect}`;
    case "rollback":
      return `rollback by scope ${action.scope}, by ${action.by}`;
    case "undo":
      return `undo by ${action.by}`;
  }
}

export function showKill({ victim, moment }: Kill): string {
  return `${victim} ${"point" in moment ? `at ${moment.point}` : `after ${(moment.afterMs / 1000).toFixed(1)} s`}`;
}
