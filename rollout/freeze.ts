/** The change freeze: while it is set nothing newer is deployed. It is no pin, so that setting and lifting it stops and fences nothing. Pure. */
import { commandOf } from "../config/commands.ts";
import { standsAfter } from "../config/ledger.ts";
import type { Pins } from "../config/pins.ts";
import type { Freeze } from "../config/schema.ts";
import type { Site } from "../config/site.ts";
import { orderOf, resumes, type Facts } from "./inspect.ts";
import type { Asked } from "../config/plan.ts";

export function showFreeze({ reason, since, until }: Freeze): string {
  return `changes are frozen${since === undefined ? "" : ` since ${since}`}: ${reason}${until === undefined ? "" : ` (until the watch ${until} has passed)`}`;
}

/** Services, and the stack itself, that would run something newer than they do. @param order every release that is known, oldest first */
export function newer(order: readonly string[], from: Pins, to: Pins): string[] {
  const later = (old: string | undefined, now: string): boolean => old !== undefined && standsAfter(order, now, old);
  return [
    ...(later(from.release, to.release) ? [`release ${from.release} → ${to.release}`] : []),
    ...Object.entries(to.services)
      .filter(([name, pin]) => later(from.services[name]?.release, pin.release) && pin.release !== to.release)
      .map(([name, pin]) => `${name} ${from.services[name]!.release} → ${pin.release}`),
  ];
}

/** Why a rollout to `to` is refused; empty where it is not. A rollout that has begun already goes on, and every way back stays open. */
export function frozen(
  freeze: Freeze | null,
  facts: Pick<Facts, "last" | "lastOpen" | "opened">,
  to: Pins,
  asked: Asked,
  { project, stack }: Pick<Site, "project" | "stack">,
): string[] {
  if (freeze === null || facts.lastOpen === null || resumes(facts, to)) return [];
  const what = newer(orderOf(facts, asked), facts.lastOpen.pins, to);
  if (what.length === 0) return [];
  return [
    `${what.join(", ")} is refused: ${showFreeze(freeze)}. To lift it run \`${commandOf(project, "backout", `freeze --lift --stack ${stack}`)}\``,
  ];
}
