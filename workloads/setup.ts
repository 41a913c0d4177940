/**
 * What a component is started with besides its pin: its environment and its definition. Part of the pins, so that a corrected definition or
 * another secret is a change like any other. Values of the environment are only there as salted hashes.
 */
import { seal } from "../config/seal.ts";
import { suggestion } from "../config/errors.ts";
import { heldSecret, missingSecrets } from "../config/secrets.ts";
import { canonical, type ComponentPin, type ComponentSetup, type Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { ComponentDefinition, SystemDefinition } from "../config/system/definition.ts";
import { environmentWith } from "./starting.ts";

/** The pins with what each component is started with. Makes nothing: a secret that is not there yet counts as another than the one that comes. */
export function withSetup<P extends Pick<Pins, "components">>(pins: P, site: Site, definition: SystemDefinition): P {
  const components = Object.fromEntries(
    Object.entries(pins.components).map(([component, pin]) => {
      const own = definition.components[component];
      return [component, own === undefined || own.kind === "static" ? pin : { ...pin, setup: setupOf(site, definition, component, pin) }];
    }),
  );
  return { ...pins, components };
}

function setupOf(site: Site, definition: SystemDefinition, component: string, pin: ComponentPin): ComponentSetup {
  const { values } = evaluate(site, definition, component, pin);
  const environment = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, seal(site, `${name}=${value}`)]));
  return { environment, definition: parts(definition.components[component]!) };
}

function parts({ kind, entry, databases, health, stopGraceMs }: ComponentDefinition): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ kind, entry, databases, health, stopGraceMs }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === "string" ? value : canonical(value)]],
    ),
  );
}

interface Evaluated {
  values: Record<string, string>;
  /** Names it asked for. */
  secrets: string[];
  databases: string[];
  /** Why there are no values; null where there are. */
  failure: string | null;
}

/**
 * Its environment wherever it runs: ports, the address of the server and the name of a database there are the place, which targets compare for themselves. The password of the
 * services' role is backout's own.
 */
function evaluate(site: Site, definition: SystemDefinition, component: string, pin: ComponentPin): Evaluated {
  const [secrets, databases] = [new Set<string>(), new Set<string>()];
  try {
    const values = environmentWith(site, definition, component, pin, {
      port: 0,
      databaseUrl: (name) => {
        databases.add(name);
        return definition.databases[name]?.engine === "sqlite" ? `/data/${name}.db` : `postgresql://services@database/${name}`;
      },
      secret: (name) => {
        secrets.add(name);
        return heldSecret(site, name) ?? "(not set)";
      },
    });
    return { values, secrets: [...secrets], databases: [...databases], failure: null };
  } catch (error) {
    return { values: {}, secrets: [...secrets], databases: [...databases], failure: (error as Error).message };
  }
}

/** Secrets that the pinned components and the definition ask for. */
export function secretsAsked(site: Site, definition: SystemDefinition, pins: Pick<Pins, "components">): string[] {
  const asked = started(definition, pins).flatMap(([component, pin]) => evaluate(site, definition, component, pin).secrets);
  return [...new Set([...Object.keys(definition.secrets ?? {}), ...asked])];
}

/** Why components cannot be started with what their definition asks for, one sentence each; empty: they can. Touches nothing. */
export function setupRefusals(site: Site, definition: SystemDefinition, pins: Pick<Pins, "components">): string[] {
  const known = Object.keys(definition.databases);
  const wrong = started(definition, pins).flatMap(([component, pin]) => {
    const { databases, failure } = evaluate(site, definition, component, pin);
    const strangers = databases.filter((name) => !known.includes(name));
    return [
      ...strangers.map(
        (name) =>
          `the environment of ${component} asks for the database "${name}", which ${definition.name} does not have, only ${known.join(", ") || "none"}${suggestion(name, known)}: correct its definition`,
      ),
      ...(failure === null ? [] : [`the environment of ${component} cannot be made: ${failure}; correct its definition`]),
    ];
  });
  return [...missingSecrets(site, definition, secretsAsked(site, definition, pins)), ...wrong];
}

/** What is off is not started: it needs nothing. */
function started(definition: SystemDefinition, pins: Pick<Pins, "components">): [string, ComponentPin][] {
  return Object.entries(pins.components).filter(([component, { run }]) => run && definition.components[component] !== undefined);
}
