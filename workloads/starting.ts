/** What every target needs to start a service: its definition, port, environment, and the hash of what it is started with. */
import { createHash } from "node:crypto";
import { canonical, type ServicePin } from "../config/pins.ts";
import { plainConfig } from "../config/secret-config.ts";
import { definedSecret } from "../config/secrets.ts";
import { defaultDatabaseVariables } from "../config/environment.ts";
import { databaseUrl, endpointOf, type Login, type Site } from "../config/site.ts";
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
    databaseUrl: (database, login) => databaseUrl(site, definition, database, login),
    secret: (name) => definedSecret(site, definition, name),
  });
}

/** Where the facts of an environment come from. */
interface Facts extends Pick<EnvironmentContext, "port" | "secret"> {
  /** @param login absent: backout's services role */
  databaseUrl: (database: string, login?: Login) => string;
}

/** The environment with ports, addresses and secrets from `facts`. */
export function environmentWith(
  site: Site,
  definition: SystemDefinition,
  service: string,
  pin: ServicePin,
  facts: Facts,
): Record<string, string> {
  const described = serviceOf(definition, service);
  const config = plainConfig(site, pin.config);
  const urlOf = (database: string): string => facts.databaseUrl(database, loginOf(definition, described, database, facts.secret));
  const own = described.environment?.({ ...facts, databaseUrl: urlOf, release: pin.release, config }) ?? {};
  if (described.command === undefined && described.kind !== "external") return own;
  // Only what is not overridden is asked for: a service with a whole url of its own needs no password.
  const urls = defaultDatabaseVariables(described.databases).flatMap(([database, variable]): [string, string][] =>
    variable in own || variable in config ? [] : [[variable, urlOf(database)]],
  );
  const port: Record<string, string> = facts.port === 0 ? {} : { PORT: String(facts.port) };
  return { BACKOUT_RELEASE: pin.release, ...port, ...Object.fromEntries(urls), ...config, ...own };
}

/** The role of a service's own, with its password; undefined: it uses backout's. */
function loginOf(
  definition: SystemDefinition,
  { databaseRole: role, databaseSecret }: ServiceDefinition,
  database: string,
  secret: (name: string) => string,
): Login | undefined {
  if (role === undefined || definition.databases[database]?.engine === "sqlite") return undefined;
  return { role, password: secret(databaseSecret ?? role) };
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
