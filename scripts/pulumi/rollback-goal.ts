/** Where a rollback goes when nobody says where: to the release that opened before, by the smallest scope that suffices. */
import { UsageError } from "../../config/errors.ts";
import type { ScopeDefinition, SystemDefinition } from "../../config/system/definition.ts";
import { orderOf } from "../../rollout/inspect.ts";
import { releaseBefore } from "../../rollout/way-back.ts";
import { previewOf } from "./preview.ts";
import { openStack, type OpenStack } from "./stack.ts";
import type { Standing } from "./standing.ts";
import { say } from "./outcome.ts";

/**
 * The release to go back to.
 * @param opened only one that has opened: it has run and was verified
 * @throws UsageError where there is none
 */
export function previousRelease({ config, asked }: OpenStack, current: string, standing: Standing, opened: boolean): string {
  const ran = standing.opened.map(({ pins }) => pins.release);
  const order = orderOf(standing, asked).filter((release) => release in config.releases && (!opened || ran.includes(release)));
  const blocked = Object.keys(config.blocked);
  const previous = releaseBefore(standing.opened, [...order, ...(order.includes(current) ? [] : [current])], current, blocked);
  if (previous !== null) return previous;
  throw new UsageError(
    opened
      ? `no release before ${current} has opened and is not blocked: name the goal with --to`
      : `there is no release before ${current} that is not blocked: name the goal with --to`,
  );
}

/**
 * Scopes that take every service back and leave the data, those that change least first: newer migrations stay before they are unmarked,
 * and services run before they are switched off. Pure.
 */
export function scopesOfCode({ scopes, services }: Pick<SystemDefinition, "scopes" | "services">): string[] {
  const off = ({ pins }: ScopeDefinition): number => Object.values(pins.services ?? {}).filter(({ run }) => run === "off").length;
  const marks = ({ pins }: ScopeDefinition): number => (pins.schema === "mark" ? 1 : 0);
  return Object.entries(scopes)
    .filter(([, { pins }]) => {
      const asked = pins.services ?? {};
      const all = pins.release === "to" || Object.keys(services).every((service) => asked[service]?.release === "to");
      return all && pins.service === undefined && (pins.data === undefined || pins.data === "current") && pins.schema !== "down";
    })
    .sort(([, a], [, b]) => marks(a) - marks(b) || off(a) - off(b))
    .map(([name]) => name);
}

/** Whether the scope takes any service to another release. An unknown one is reported later. */
export function goesBack(scope: ScopeDefinition | undefined): boolean {
  if (scope === undefined) return true;
  const { release, service, services = {} } = scope.pins;
  return [release, service?.release, ...Object.values(services).map((one) => one.release)].includes("to");
}

export interface Goal {
  scope: string;
  /** Absent: the scope takes no service back, or goes on with what is unfinished. */
  to?: string;
}

/**
 * Says which release and which scope, and why.
 * @param pinsOf the stack file after a rollback to such a goal
 * @throws UsageError where no older release has opened
 */
export async function plainGoal(stack: OpenStack, standing: Standing, pinsOf: (goal: Goal) => string): Promise<Goal> {
  const { definition } = stack;
  const { lastOpen, pending } = standing;
  const code = scopesOfCode(definition);
  const moves = code.length > 0 || goesBack(definition.scopes[definition.defaultScope]);
  const goal: Partial<Goal> = {};
  if (moves && lastOpen !== null && pending === null) {
    const current = lastOpen.pins.release;
    goal.to = previousRelease(stack, current, standing, true);
    say(`back to ${goal.to}, which opened before ${current}`);
  }
  return { ...goal, scope: await smallestScope(stack, code, (scope) => pinsOf({ ...goal, scope })) };
}

/** The first scope that the plan does not refuse and on whose data every service can run; else the system's default scope. */
async function smallestScope(stack: OpenStack, candidates: readonly string[], pinsOf: (scope: string) => string): Promise<string> {
  const { defaultScope } = stack.definition;
  let why = "the system's default";
  for (const scope of candidates) {
    const after = await openStack(stack, pinsOf(scope));
    const { unknown, refused, preview } = await previewOf(stack, after, false);
    const [problem] = unknown === null ? [...refused, ...(preview?.schemaAhead ?? [])] : [unknown];
    if (problem === undefined) {
      say(`by scope ${scope}, the smallest that suffices: ${after.config.release} runs on the data as it is`);
      return scope;
    }
    why = `${scope} does not suffice: ${problem}`;
  }
  say(`by scope ${defaultScope}: ${why}`);
  return defaultScope;
}
