/** What every target has to know to start a component: its definition, port, environment, and the hash of what it is started with. */
import { createHash } from "node:crypto";
import { canonical, type ComponentPin } from "../config/pins.ts";
import { plainConfig } from "../config/secret-config.ts";
import { definedSecret } from "../config/secrets.ts";
import { databaseUrl, endpointOf, type Site } from "../config/site.ts";
import type { ComponentDefinition, EnvironmentContext, SystemDefinition } from "../config/system/definition.ts";

export function componentOf(definition: SystemDefinition, component: string): ComponentDefinition {
  const found = definition.components[component];
  if (found === undefined) throw new Error(`${definition.name} has no component ${component}`);
  return found;
}

/** Port a component listens on; 0 where none is declared. */
export function portOf(site: Site, component: string): number {
  return site.ports[`${component}-upstream`] ?? site.ports[component] ?? 0;
}

/** What the definition asks for; nothing of the surroundings. @throws SecretMissingError */
export function environmentOf(site: Site, definition: SystemDefinition, component: string, pin: ComponentPin): Record<string, string> {
  return environmentWith(site, definition, component, pin, {
    port: portOf(site, component),
    databaseUrl: (database) => databaseUrl(site, definition, database),
    secret: (name) => definedSecret(site, definition, name),
  });
}

/** The environment with what `context` has to say of place and secrets. */
export function environmentWith(
  site: Site,
  definition: SystemDefinition,
  component: string,
  pin: ComponentPin,
  context: Pick<EnvironmentContext, "port" | "databaseUrl" | "secret">,
): Record<string, string> {
  return (
    componentOf(definition, component).environment?.({ ...context, release: pin.release, config: plainConfig(site, pin.config) }) ?? {}
  );
}

/** What a running component was started with besides what `configHash` covers; null where a pin of an earlier version does not say. */
export function setupHash({ setup }: ComponentPin): string | null {
  return setup === undefined ? null : createHash("sha256").update(canonical(setup)).digest("hex").slice(0, 16);
}

/** What is not known of either is as before. */
export function isSetUpAs(pin: ComponentPin, recorded: string | null | undefined): boolean {
  const wanted = setupHash(pin);
  return wanted === null || recorded == null || recorded === wanted;
}

/** What a running component must have been started with. */
export function configHash(site: Site, component: string, pin: ComponentPin): string {
  const started = {
    config: pin.config,
    artefact: pin.artefact,
    listens: portOf(site, component),
    server: serverPlace(site),
    restart: pin.restart,
  };
  return createHash("sha256").update(canonical(started)).digest("hex").slice(0, 16);
}

/** Where its databases are; the files of a stack without a server, where they do not lie at home. */
function serverPlace(site: Site): string {
  if (site.server === undefined) return Object.values(site.files).join(", ");
  const { host, port } = endpointOf(site);
  const named = Object.entries(site.server.databases).map(([database, name]) => `/${database}=${name}`);
  return `${host}:${port}${named.sort().join("")}`;
}
