/** The targets by name. */
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { DockerUnreachableError } from "./docker-errors.ts";
import { DockerTarget } from "./docker.ts";
import { ProcessTarget } from "./process.ts";
import type { Target } from "./target.ts";

export function targetOf(site: Site, definition: SystemDefinition): Target {
  return site.target === "docker" ? new DockerTarget(site, definition) : new ProcessTarget(site, definition);
}

/**
 * Why pinned services cannot run where a site has them, one reason each; empty: they can, or nobody can say because the target is out of reach.
 * Starts nothing.
 */
export async function cannotRun(site: Site, definition: SystemDefinition, pins: Pick<Pins, "services">): Promise<string[]> {
  const target = targetOf(site, definition);
  const reasons: string[] = [];
  for (const [service, pin] of Object.entries(pins.services))
    await target.check(service, pin).catch((error: unknown) => {
      if (!(error instanceof DockerUnreachableError)) reasons.push((error as Error).message);
    });
  return reasons;
}

/** Brings what the pins need onto this machine, before anything stops. @throws what the first that cannot be had says */
export async function prepareAll(site: Site, definition: SystemDefinition, pins: Pick<Pins, "services">): Promise<void> {
  const target = targetOf(site, definition);
  await Promise.all(Object.entries(pins.services).map(([name, pin]) => target.prepare(name, pin)));
}

/** Why nobody can say what runs, and whether what is pinned can; null where the target answers. */
export async function outOfReach(site: Site, definition: SystemDefinition): Promise<string | null> {
  if (site.target !== "docker") return null;
  const target = targetOf(site, definition);
  try {
    for (const service of Object.keys(definition.services)) await target.observe(service);
    return null;
  } catch (error) {
    if (error instanceof DockerUnreachableError) return error.message;
    throw error;
  }
}

/** Services that cannot be stopped where they ran before: they may run in two places. */
export type NotStopped = { service: string; reason: string }[];

/**
 * Stops every service where a site has them, before they are started somewhere else. Whoever leaves a target because it does not answer any
 * more goes on: what could not be stopped is told.
 */
export async function stopAllAt(site: Site, definition: SystemDefinition): Promise<NotStopped> {
  const left = targetOf(site, definition);
  const notStopped: NotStopped = [];
  for (const service of Object.keys(definition.services))
    await left.stop(service).catch((error: unknown) => void notStopped.push({ service, reason: (error as Error).message }));
  return notStopped;
}
