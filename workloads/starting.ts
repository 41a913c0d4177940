/** What every target needs to start a service: its definition, port, environment, and the hash of what it is started with. */
import { createHash } from "node:crypto";
import { canonical, type ServicePin } from "../config/pins.ts";
import { plainConfig } from "../config/secret-config.ts";
import { definedSecret } from "../config/secrets.ts";
import { databaseUrl, endpointOf, type Site } from "../config/site.ts";
import type { ServiceDefinition, EnvironmentContext, SystemDefinition } from "../config/system/definition.ts";

export function serviceOf(definition: SystemDefinition, service: string): ServiceDefinition {
  const found = definition.services[service];
  if (found === undefined) throw new Error(`${definition.name} has no service ${service}`);
  return found;
}

/** Port of a service; 0: none is declared. */
export function portOf(site: Site, service: string): number {
  return site.ports[`${service}-upstream`] ?? site.ports[service] ?? 0;
}

/** The environment of the definition, without the caller's. @throws SecretMissingError */
export function environmentOf(site: Site, definition: SystemDefinition, service: string, pin: ServicePin): Record<string, string> {
  return environmentWith(site, definition, service, pin, {
    port: portOf(site, service),
    databaseUrl: (database) => databaseUrl(site, definition, database),
    secret: (name) => definedSecret(site, definition, name),
  });
}

/** The environment with ports, addresses and secrets from `context`. */
export function environmentWith(
  site: Site,
  definition: SystemDefinition,
  service: string,
  pin: ServicePin,
  context: Pick<EnvironmentContext, "port" | "databaseUrl" | "secret">,
): Record<string, string> {
  return serviceOf(definition, service).environment?.({ ...context, release: pin.release, config: plainConfig(site, pin.config) }) ?? {};
}

/** What a running service was started with besides what `configHash` covers; null: a pin of an earlier version, unknown. */
export function setupHash({ setup }: ServicePin): string | null {
  return setup === undefined ? null : createHash("sha256").update(canonical(setup)).digest("hex").slice(0, 16);
}

/** Unknown on either side counts as unchanged. */
export function isSetUpAs(pin: ServicePin, recorded: string | null | undefined): boolean {
  const wanted = setupHash(pin);
  return wanted === null || recorded == null || recorded === wanted;
}

/** What a running service must have been started with. */
export function configHash(site: Site, service: string, pin: ServicePin): string {
  const started = {
    config: pin.config,
    artefact: pin.artefact,
    listens: portOf(site, service),
    server: serverPlace(site),
    restart: pin.restart,
  };
  return createHash("sha256").update(canonical(started)).digest("hex").slice(0, 16);
}

/** Where its databases are; for a stack without a server: files outside the home. */
function serverPlace(site: Site): string {
  if (site.server === undefined) return Object.values(site.files).join(", ");
  const { host, port } = endpointOf(site);
  const named = Object.entries(site.server.databases).map(([database, name]) => `/${database}=${name}`);
  return `${host}:${port}${named.sort().join("")}`;
}
