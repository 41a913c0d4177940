/** Which rollouts this process has planned: an update of single resources plans none, and must not close anything. */
import type { Site } from "../config/site.ts";

const planned = new Set<string>();

const keyOf = ({ home }: Pick<Site, "home">, rollout: string): string => `${home} ${rollout}`;

/** The plan has looked at these pins, and its refusals count. */
export function markPlanned(site: Pick<Site, "home">, rollout: string): void {
  planned.add(keyOf(site, rollout));
}

export function isPlanned(site: Pick<Site, "home">, rollout: string): boolean {
  return planned.has(keyOf(site, rollout));
}
