/** From the config to the pins of a stack; finds every mistake in the config. */
import { commandOf, quoted } from "./commands.ts";
import type { Site } from "./site.ts";
import type { StackConfig, DataPinText } from "./schema.ts";
import type { SystemDefinition } from "./system/definition.ts";
import { portsOf } from "./default-ports.ts";
import { type Pins, type ServicePin, type DataPin, parseDataPin } from "./pins.ts";
import { ConfigError, suggestion, ConfigErrors } from "./errors.ts";
import { own } from "./own.ts";
import { runsOn } from "./schema-ahead.ts";
import { resolveConstraints, declaredDefinitions } from "./constraints.ts";
import { wrongRepair } from "./repairs.ts";
import { allowsMaintenance, noSuchMaintenance, wrongListen } from "./definition/traffic.ts";
import { isSwitched, listenTexts, parseAddress } from "./traffic.ts";

/**
 * @param at where commands are typed
 * @throws ConfigErrors for an unknown release, service, database, flag source or blocked release.
 */
export function resolvePins(config: StackConfig, definition: SystemDefinition, at: Partial<Pick<Site, "project" | "stack">> = {}): Pins {
  const errors: ConfigError[] = [];
  const fail = (key: string, value: unknown, allowed: string): void => void errors.push(new ConfigError(`backout:${key}`, value, allowed));
  requirePlaces(config, definition, fail);
  requirePorts(config, definition, fail);
  requireTraffic(config, definition, fail);
  const releases = Object.keys(config.releases);
  const known = (key: string, release: string): boolean => {
    if (!releases.includes(release)) {
      fail(key, release, `not in the ledger backout:releases, which has ${releases.join(", ")}${suggestion(release, releases)}`);
      return false;
    }
    const incident = own(config.blocked, release);
    if (incident !== undefined) {
      const words = `unblock ${quoted(release)}${at.stack === undefined ? "" : ` --stack ${at.stack}`}`;
      fail(
        key,
        release,
        `blocked by ${incident}; once it is fixed, run \`${commandOf(at.project ?? ".", "backout", words)}\`, or remove ${release} from backout:blocked`,
      );
    }
    return incident === undefined;
  };
  known("release", config.release);
  for (const name of Object.keys(config.services))
    if (!Object.hasOwn(definition.services, name))
      fail(
        `services.${name}`,
        name,
        `${definition.name} has no such service, only ${Object.keys(definition.services).join(", ")}${suggestion(name, Object.keys(definition.services))}`,
      );
  const services: Record<string, ServicePin> = {};
  for (const name of Object.keys(definition.services)) {
    const pin = own(config.services, name) ?? {};
    const release = pin.release ?? config.release;
    if (pin.release !== undefined && !known(`services.${name}.release`, pin.release)) continue;
    const artefact = own(own(config.releases, release)?.services, name);
    if (artefact === undefined) {
      const entry = own(config.releases, release);
      if (entry !== undefined) fail(`releases.${release}.services`, Object.keys(entry.services), `lacks ${name}`);
      continue;
    }
    if (artefact.build !== undefined && definition.services[name]!.kind === "static")
      fail(`releases.${release}.services.${name}.build`, artefact.build, "a static service is published as it is: remove it");
    services[name] = { release, run: pin.run !== "off", config: configOf(artefact.config, pin.config), artefact };
    if (pin.restart !== undefined) services[name].restart = pin.restart;
  }
  const databases = Object.keys(definition.databases);
  const needs: Record<string, string> = {};
  // A service pinned to a newer release needs that release's schema.
  const pinnedReleases = new Set([config.release, ...Object.values(services).map((pin) => pin.release)]);
  for (const database of databases) {
    const migrations = definition.databases[database]!.migrations.map((migration) => migration.name);
    for (const release of pinnedReleases) {
      const needed = own(own(config.releases, release)?.schema, database);
      if (needed === undefined) continue;
      if (!migrations.includes(needed))
        fail(`releases.${release}.schema.${database}`, needed, `not a migration of the system: ${migrations.join(", ")}`);
      if (migrations.indexOf(needed) > migrations.indexOf(needs[database] ?? "")) needs[database] = needed;
    }
  }
  const until = config.freeze?.until;
  const watches = Object.keys(definition.watches ?? {});
  if (until !== undefined && !watches.includes(until))
    fail("freeze.until", until, `${definition.name} has no such watch, only ${watches.join(", ") || "none"}${suggestion(until, watches)}`);
  const made = runsOn(definition, config.releases, Object.fromEntries(Object.entries(services).map(([name, pin]) => [name, pin.release])));
  requireScope(config, definition, fail);
  const data = resolveData(config.data, databases, fail);
  const constraints = resolveConstraints(config, definition, fail);
  for (const [database, pin] of Object.entries(data))
    if (pin.kind === "repair") for (const { at, value, allowed } of wrongRepair(definition, database, pin)) fail(at, value, allowed);
  const definitions = declaredDefinitions(config);
  if (errors.length > 0) throw new ConfigErrors(errors);
  return {
    release: config.release,
    services,
    data,
    needs,
    ...(made === undefined ? {} : { runsOn: made }),
    schema: config.schema,
    flags: { ...own(config.releases, config.release)?.flags, ...config.flags },
    ...(definition.constraints === undefined ? {} : { constraints }),
    ...(Object.keys(definitions).length === 0 ? {} : { definitions }),
    maintenance: { mode: config.maintenance.mode, message: config.maintenance.message ?? "" },
    snapshots: [...config.backups.snapshots].sort(),
  };
}

/** The ledger's configuration with the declared overrides; `null` removes a setting. */
export function configOf(
  recorded: Record<string, string> = {},
  over: Readonly<Record<string, string | null>> = {},
): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...recorded, ...over }).flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}

/** A server only if a database needs one, files only for SQLite databases. */
function requirePlaces(
  config: StackConfig,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  const of = (engine: string): string[] =>
    Object.entries(definition.databases).flatMap(([name, database]) => (database.engine === engine ? [name] : []));
  const [onServer, inFiles] = [of("postgres"), of("sqlite")];
  if (onServer.length > 0 && config.server === undefined)
    fail(
      "server",
      undefined,
      `${onServer.join(", ")} is a PostgreSQL database: give \`{embedded: true, port}\`, or host and user of a server`,
    );
  if (onServer.length === 0 && inFiles.length > 0 && config.server !== undefined)
    fail("server", "given", `${definition.name} has only SQLite files (${inFiles.join(", ")}): remove it`);
  for (const name of Object.keys(config.files))
    if (!inFiles.includes(name))
      fail(
        `files.${name}`,
        name,
        `no SQLite database of ${definition.name}, which has ${inFiles.join(", ") || "none"}${suggestion(name, inFiles)}`,
      );
}

/** Requires every needed port, no unknown one, and no two equal ones: a gate that cannot listen keeps everybody out. */
function requirePorts(
  config: StackConfig,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  const { required, known } = portsOf(definition);
  const names = [...new Set(known)];
  const strangers = (key: string, ports: Record<string, number>): void => {
    for (const name of Object.keys(ports))
      if (!names.includes(name))
        fail(`${key}.${name}`, ports[name], `${definition.name} has no such port, only ${names.join(", ")}${suggestion(name, names)}`);
  };
  strangers("ports", config.ports);
  for (const [alternative, { ports }] of Object.entries(config.alternatives)) strangers(`alternatives.${alternative}.ports`, ports);
  for (const name of required)
    if (own(config.ports, name) === undefined)
      fail(`ports.${name}`, undefined, `${definition.name} needs it: declare a free port from 1 to 65535`);
  const taken = new Map<number, string>();
  const server = config.server?.embedded === true ? ([["server.port", config.server.port]] as const) : [];
  for (const [key, port] of [...server, ...Object.entries(config.ports).map(([name, port]) => [`ports.${name}`, port] as const)]) {
    const other = taken.get(port);
    if (other !== undefined) fail(key, port, `backout:${other} has this port already: use different ports`);
    taken.set(port, key);
  }
}

/** Requires addresses that the gate can have, and maintenance that somebody can carry out. */
function requireTraffic(
  { traffic: over, ports, maintenance, server }: StackConfig,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  if (!allowsMaintenance(definition, maintenance.mode)) fail("maintenance", maintenance.mode, noSuchMaintenance(definition));
  const { traffic: declared = {}, listeners } = definition;
  if (declared === "none" || isSwitched(declared)) {
    if (over !== undefined) fail("traffic", over, `the traffic of ${definition.name} does not go through backout's own proxy: remove it`);
    return;
  }
  if (over !== undefined) wrongListen(definition, over, "traffic", fail);
  const services = Object.values(listeners).map(({ service }) => service);
  const taken = Object.entries(ports).map(([name, port]): [string, number] => [`ports.${name}`, port]);
  if (server?.embedded === true) taken.push(["server.port", server.port]);
  for (const [service, text] of Object.entries(listenTexts(over?.listen === undefined ? declared : over, services))) {
    const address = parseAddress(text);
    const other = taken.find(([, port]) => port === address?.port);
    if (other !== undefined) fail("traffic.listen", text, `backout:${other[0]} has this port already: ${service} needs another for users`);
  }
}

/** Requires a known scope, with a service exactly if it is a scope of one service. */
function requireScope(
  { scope }: StackConfig,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  if (scope === undefined) return;
  const known = Object.keys(definition.scopes);
  const services = Object.keys(definition.services);
  const { name, service } = scope;
  if (!known.includes(name))
    return fail("scope", name, `${definition.name} has no such scope, only ${known.join(", ")}${suggestion(name, known)}`);
  const forOne = definition.scopes[name]!.pins.service !== undefined;
  if (service === undefined) {
    if (forOne) fail("scope", name, `it is a scope of one service: write {name: ${name}, service: <one of ${services.join(", ")}>}`);
  } else if (!forOne) fail("scope.service", service, `${name} names its services itself: write only the scope's name`);
  else if (!services.includes(service)) fail("scope.service", service, `not one of ${services.join(", ")}${suggestion(service, services)}`);
}

function resolveData(
  declared: StackConfig["data"],
  databases: string[],
  fail: (key: string, value: unknown, allowed: string) => void,
): Record<string, DataPin> {
  const isMap = typeof declared === "object" && !("snapshot" in declared) && !("repair" in declared);
  if (isMap)
    for (const database of Object.keys(declared))
      if (!databases.includes(database))
        fail(`data.${database}`, database, `no such database, only ${databases.join(", ")}${suggestion(database, databases)}`);
  return Object.fromEntries(
    databases.map((database) => [database, parseDataPin(isMap ? (own(declared, database) ?? "current") : (declared as DataPinText))]),
  );
}
