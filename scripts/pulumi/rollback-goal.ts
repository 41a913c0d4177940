/** Where a rollback goes when nobody says where: to the release that opened before, by the smallest scope that suffices. */
import { inWords, RefusedError, UsageError } from "../../config/errors.ts";
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
    .filter(([, { pins }]) => takesAll(pins, services) && (pins.data === undefined || pins.data === "current") && pins.schema !== "down")
    .sort(([, a], [, b]) => marks(a) - marks(b) || off(a) - off(b))
    .map(([name]) => name);
}

/** Scopes that take every service back and restore the data, as declared. Pure. */
export function scopesOfData({ scopes, services }: Pick<SystemDefinition, "scopes" | "services">): string[] {
  return Object.entries(scopes).flatMap(([name, { pins }]) => (takesAll(pins, services) && pins.data === "snapshot" ? [name] : []));
}

function takesAll({ release, service, services: asked = {} }: ScopeDefinition["pins"], services: SystemDefinition["services"]): boolean {
  return service === undefined && (release === "to" || Object.keys(services).every((name) => asked[name]?.release === "to"));
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

interface Tried {
  scope: string;
  /** Why it does not suffice; null: it does. */
  problem: string | null;
  /** Else the plan would go ahead all the same: a service runs on a schema that is too new for it. */
  refused: boolean;
}

/**
 * The first scope that the plan does not refuse and on whose data every service can run: those that leave the data, then the system's default, then
 * those that restore it. Where none suffices, the default.
 */
async function smallestScope(stack: OpenStack, code: readonly string[], pinsOf: (scope: string) => string): Promise<string> {
  const { definition } = stack;
  const { defaultScope } = definition;
  const candidates = [...new Set([...code, defaultScope, ...scopesOfData(definition)])];
  const tried: Tried[] = [];
  for (const scope of candidates.length > 1 || code.length > 0 ? candidates : []) {
    const found = await tryScope(stack, scope, pinsOf);
    // Of the other scopes nothing is known either.
    if (found === null) break;
    if (found.problem === null) {
      say(
        `by scope ${scope}, the smallest that suffices: ${tried.length === 0 ? `${found.runs} runs on the data as it is` : whyNot(tried)}`,
      );
      return scope;
    }
    tried.push(found);
  }
  // The refusal of the default scope says its own reason.
  const own = tried.find(({ scope, refused }) => scope === defaultScope && refused);
  const others = tried.filter(({ problem }) => problem !== own?.problem);
  const why = others.length > 0 ? `: ${whyNot(others)}` : own === undefined ? "" : ": no scope suffices";
  say(`by scope ${defaultScope}, the system's default${why}`);
  return defaultScope;
}

/** Null: the database does not answer. */
async function tryScope(stack: OpenStack, scope: string, pinsOf: (scope: string) => string): Promise<(Tried & { runs: string }) | null> {
  let text: string;
  try {
    text = pinsOf(scope);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { scope, problem: error.message, refused: true, runs: "" };
  }
  const after = await openStack(stack, text);
  const { unknown, refused, preview } = await previewOf(stack, after, false);
  if (unknown !== null) return null;
  const [problem = null] = [...refused, ...(preview?.schemaAhead ?? [])];
  return { scope, problem, refused: refused.length > 0, runs: after.config.release };
}

/** In one line: the first sentence of each reason. Its advice is for those who name the scope. */
function whyNot(tried: readonly Tried[]): string {
  const short = tried.map((one) => ({ ...one, problem: one.problem?.split(". ")[0] ?? "" }));
  return byProblem(short)
    .map(([scopes, problem]) => `${inWords(scopes)} ${scopes.length === 1 ? "does" : "do"} not suffice: ${problem}`)
    .join("; ");
}

/** Each reason once, with the scopes that have it. */
function byProblem(tried: readonly Tried[]): [scopes: string[], problem: string][] {
  return Object.entries(Object.groupBy(tried, ({ problem }) => problem ?? "")).map(([problem, those = []]) => [
    those.map(({ scope }) => scope),
    problem,
  ]);
}
