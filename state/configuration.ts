/** The configuration services ran with, kept as a file before it changes: the way back to what no ledger has. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { canonical, type Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import { writeAtomically } from "../processes/atomic-file.ts";

export interface KeptConfiguration {
  path: string;
  /** sha256 of each service's configuration, hexadecimal. */
  sha256: Record<string, string>;
}

/** Where a run keeps the configuration it found. */
export function currentConfigurationFile(site: Pick<Site, "home">, runId: string): string {
  return join(site.home, "records", runId, "configuration.current.json");
}

/** Writes configuration and hash of every service; the same pins give the same file. Secrets are referred to in it, never held. */
export function keepConfiguration(path: string, pins: Pins): KeptConfiguration {
  const services = Object.fromEntries(
    Object.entries(pins.services).map(([service, { release, config }]) => [
      service,
      { release, config, sha256: createHash("sha256").update(canonical(config)).digest("hex") },
    ]),
  );
  writeAtomically(path, `${JSON.stringify({ release: pins.release, services }, null, 2)}\n`);
  return { path, sha256: Object.fromEntries(Object.entries(services).map(([service, { sha256 }]) => [service, sha256])) };
}

/** Whether any service would run with another configuration. */
export function configurationChanges(from: Pins, to: Pins): boolean {
  return Object.entries(to.services).some(([service, { config }]) => canonical(from.services[service]?.config ?? {}) !== canonical(config));
}
