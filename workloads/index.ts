/** The targets by name. */
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { DockerUnreachableError } from "./docker-errors.ts";
import { DockerTarget } from "./docker.ts";
import { ExternalTarget } from "./external.ts";
import { ProcessTarget } from "./process.ts";
import { dropOldCopies } from "./release-copy.ts";
import type { Target } from "./target.ts";

export function targetOf(site: Site, definition: SystemDefinition): Target {
  const own = site.target === "docker" ? new DockerTarget(site, definition) : new ProcessTarget(site, definition);
  const kinds = Object.values(definition.services).map(({ kind }) => kind);
  return kinds.includes("external") ? byKind(definition, own, new ExternalTarget(site, definition)) : own;
}

/** Each service on its own target. */
function byKind({ services }: SystemDefinition, own: Target, external: Target): Target {
  const of = (service: string): Target => (services[service]?.kind === "external" ? external : own);
  return {
    check: (service, pin) => of(service).check(service, pin),
    prepare: (service, pin, tell) => of(service).prepare(service, pin, tell),
    install: (service, pin) => of(service).install(service, pin),
    stop: (service) => of(service).stop(service),
    confirmStopped: async (names) => {
      for (const name of names) await of(name).confirmStopped([name]);
    },
    start: (service, pin) => of(service).start(service, pin),
    observe: (service) => of(service).observe(service),
    askHealth: (service, pin) => of(service).askHealth(service, pin),
    errorLog: (service, lines, since) => of(service).errorLog(service, lines, since),
    errorMark: (service) => of(service).errorMark(service),
  };
}

/**
 * Why pinned services cannot run on the site's target, one reason each; empty: they can, or the target is unreachable.
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

/** Fetches and builds what the pins need on this machine, before anything stops. @throws the first failure */
export async function prepareAll(
  site: Site,
  definition: SystemDefinition,
  pins: Pick<Pins, "services">,
  tell: (line: string) => void = () => undefined,
): Promise<void> {
  const target = targetOf(site, definition);
  const prepared = await Promise.allSettled(Object.entries(pins.services).map(([name, pin]) => target.prepare(name, pin, tell)));
  // All have ended by now: no build goes on behind a refusal.
  for (const each of prepared) if (each.status === "rejected") throw each.reason;
  await dropOldCopies(site, Object.keys(pins.services).length);
}

/** Why the target is unreachable; null: it answers. */
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

/** Services that cannot be stopped on the old target: they may run twice. */
export type NotStopped = { service: string; reason: string }[];

/**
 * Stops every service on a site's target, before they are started on another one. If the target does not answer, this continues and reports
 * what could not be stopped.
 */
export async function stopAllAt(site: Site, definition: SystemDefinition): Promise<NotStopped> {
  const left = targetOf(site, definition);
  const notStopped: NotStopped = [];
  for (const service of Object.keys(definition.services))
    await left.stop(service).catch((error: unknown) => void notStopped.push({ service, reason: (error as Error).message }));
  return notStopped;
}
