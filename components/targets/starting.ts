/** What every target has to know to start a component: its definition, port, environment, and the hash of what it is started with. */
import { createHash } from "node:crypto";
import { canonical, type ComponentPin } from "../../declared/pins.ts";
import { databaseUrl, endpointOf, secretOf, type Site } from "../../declared/site.ts";
import type { ComponentDefinition, SystemDefinition } from "../../systems/definition.ts";

export function componentOf(definition: SystemDefinition, component: string): ComponentDefinition {
  const found = definition.components[component];
  if (found === undefined) throw new Error(`${definition.name} has no component ${component}`);
  return found;
}

/** Port a component listens on; 0 where none is declared. */
export function portOf(site: Site, component: string): number {
  return site.ports[`${component}-upstream`] ?? site.ports[component] ?? 0;
}

/** What the definition asks for; nothing of the surroundings. */
export function environmentOf(site: Site, definition: SystemDefinition, component: string, pin: ComponentPin): Record<string, string> {
  return (
    componentOf(definition, component).environment?.({
      port: portOf(site, component),
      databaseUrl: (database) => databaseUrl(site, definition, database),
      secret: (name) => secretOf(site, name),
      release: pin.release,
      config: pin.config,
    }) ?? {}
  );
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
  return `${host}:${port}`;
}
