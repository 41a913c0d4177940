/**
 * What a service is started with besides its pin: its environment and its definition. Part of the pins, so a changed definition or secret
 * is a change like any other. Holds values of the environment only as salted hashes.
 */
import { seal } from "../config/seal.ts";
import { suggestion } from "../config/errors.ts";
import { heldSecret, missingSecrets } from "../config/secrets.ts";
import { canonical, type ServicePin, type ServiceSetup, type Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { ServiceDefinition, SystemDefinition } from "../config/system/definition.ts";
import { environmentWith } from "./starting.ts";

/**
 * The pins with what each service is started with. Generates nothing: a missing secret counts as different from the one generated later.
 */
export function withSetup<P extends Pick<Pins, "services">>(pins: P, site: Site, definition: SystemDefinition): P {
  const services = Object.fromEntries(
    Object.entries(pins.services).map(([service, pin]) => {
      const own = definition.services[service];
      return [service, own === undefined || own.kind === "static" ? pin : { ...pin, setup: setupOf(site, definition, service, pin) }];
    }),
  );
  return { ...pins, services };
}

function setupOf(site: Site, definition: SystemDefinition, service: string, pin: ServicePin): ServiceSetup {
  const { values } = evaluate(site, definition, service, pin);
  const environment = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, seal(site, `${name}=${value}`)]));
  return { environment, definition: parts(definition.services[service]!) };
}

function parts(described: ServiceDefinition): Record<string, string> {
  const { kind, entry, command, cwd, build, databases, databaseRole, databaseSecret, health, stopGraceMs } = described;
  return Object.fromEntries(
    Object.entries({ kind, entry, command, cwd, build, databases, databaseRole, databaseSecret, health, stopGraceMs }).flatMap(
      ([name, value]) => (value === undefined ? [] : [[name, typeof value === "string" ? value : canonical(value)]]),
    ),
  );
}

interface Evaluated {
  values: Record<string, string>;
  /** Secrets that it uses. */
  secrets: string[];
  databases: string[];
  /** Why there are no values; null: there are. */
  failure: string | null;
}

/**
 * Its environment independent of its place: targets compare ports, server address and database name themselves. The password of the
 * services' role is backout's own.
 */
function evaluate(site: Site, definition: SystemDefinition, service: string, pin: ServicePin): Evaluated {
  const [secrets, databases] = [new Set<string>(), new Set<string>()];
  try {
    const values = environmentWith(site, definition, service, pin, {
      port: 0,
      databaseUrl: (name, login) => {
        databases.add(name);
        const as = login === undefined ? "services" : `${login.role}:${login.password}`;
        return definition.databases[name]?.engine === "sqlite" ? `/data/${name}.db` : `postgresql://${as}@database/${name}`;
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

/** Secrets that the pinned services and the definition use. */
export function secretsAsked(site: Site, definition: SystemDefinition, pins: Pick<Pins, "services">): string[] {
  const asked = started(definition, pins).flatMap(([service, pin]) => evaluate(site, definition, service, pin).secrets);
  return [...new Set([...Object.keys(definition.secrets ?? {}), ...asked])];
}

/** Why services cannot be started as defined, one sentence each; empty: they can. Changes nothing. */
export function setupRefusals(site: Site, definition: SystemDefinition, pins: Pick<Pins, "services">): string[] {
  const known = Object.keys(definition.databases);
  const wrong = started(definition, pins).flatMap(([service, pin]) => {
    const { databases, failure } = evaluate(site, definition, service, pin);
    const strangers = databases.filter((name) => !known.includes(name));
    return [
      ...strangers.map(
        (name) =>
          `definition.services.${service}.environment: the database "${name}" is none of ${definition.name}, only ${known.join(", ") || "none"}${suggestion(name, known)}`,
      ),
      ...(failure === null ? [] : [`definition.services.${service}.environment: it cannot be built: ${failure}; correct it`]),
    ];
  });
  return [...missingSecrets(site, definition, secretsAsked(site, definition, pins)), ...wrong];
}

/** A service that is off is not started, so it needs nothing. */
function started(definition: SystemDefinition, pins: Pick<Pins, "services">): [string, ServicePin][] {
  return Object.entries(pins.services).filter(([service, { run }]) => run && definition.services[service] !== undefined);
}
