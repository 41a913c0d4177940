/** The configuration that services ran with, saved as a file before it changes: no ledger has it. */
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

/** Path where a run saves the configuration that it found. */
export function currentConfigurationFile(site: Pick<Site, "home">, runId: string): string {
  return join(site.home, "records", runId, "configuration.current.json");
}

/** Writes configuration and hash of every service; the same pins give the same file. It holds references to secrets, never their values. */
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

/** Whether the configuration of any service changes. */
export function configurationChanges(from: Pins, to: Pins): boolean {
  return Object.entries(to.services).some(([service, { config }]) => canonical(from.services[service]?.config ?? {}) !== canonical(config));
}
