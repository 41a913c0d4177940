/** The pins: what the declared state asks of every component, database, flag and of maintenance, resolved against ledger and definition. */
import { createHash } from "node:crypto";
import { runsOn, type RunsOn } from "./schema-ahead.ts";
import type { SystemDefinition } from "./system/definition.ts";
import type { ConstraintState } from "./system/constraint.ts";
import { declaredDefinitions, resolveConstraints } from "./constraints.ts";
import { DeclaredStateError, DeclaredStateErrors, suggestion } from "./errors.ts";
import { own } from "./own.ts";
import { wrongRepair } from "./repairs.ts";
import type { Artefact, DataPinText, Declared } from "./schema.ts";

/** Which data a database stands on. */
export type DataPin =
  /** Whatever is there. */
  | { kind: "current" }
  /** Descends from this snapshot; `again` > 0 asks for the same one once more. `generation` null: the only one there is. */
  | { kind: "snapshot"; name: string; generation: number | null; again: number }
  /** Is (or descends from) a quarantined database: the undo of a rollback. */
  | { kind: "quarantine"; name: string }
  /** What is there, mended in place by a repair of the definition (or `rows`). `again` > 0 asks for the same one once more. */
  | {
      kind: "repair";
      repair: string;
      /** Snapshot it reads; null where it reads none. */
      snapshot: { name: string; generation: number | null } | null;
      with: Record<string, string>;
      again: number;
    };

export interface ComponentPin {
  release: string;
  run: boolean;
  config: Record<string, string>;
  artefact: Artefact;
  /** How often it was asked to start anew; absent: never. */
  restart?: number;
  /** What else it is started with; absent: not known (recorded by an earlier version), and what runs counts as unchanged. */
  setup?: ComponentSetup;
}

/** What a component is started with besides its pin. Never a value of its environment. */
export interface ComponentSetup {
  /** Salted hash of each variable's value, by name. */
  environment: Record<string, string>;
  /** What its definition says of how it runs, by name. */
  definition: Record<string, string>;
}

/** A scope, with the component where it is for one. */
export interface ScopePin {
  name: string;
  component?: string | undefined;
}

export type Maintenance = { mode: "off" | "read-only" | "full"; message: string };
export type SchemaPolicy = "keep" | "mark" | "down";

export interface Pins {
  release: string;
  components: Record<string, ComponentPin>;
  /** By database of the definition. */
  data: Record<string, DataPin>;
  /** Newest migration that a pinned release needs, by database. */
  needs: Record<string, string>;
  schema: SchemaPolicy;
  flags: Record<string, boolean>;
  /** Of every constraint of the definition; absent where it has none. */
  constraints?: Record<string, ConstraintState>;
  /** Text of constraints that are to come back improved; absent where there is none. */
  definitions?: Record<string, string>;
  maintenance: Maintenance;
  /** Newest migration each component's release was made for; only where a newer schema breaks it. */
  runsOn?: RunsOn;
  /** Declared snapshots that must exist. */
  snapshots: string[];
}

/**
 * @throws DeclaredStateErrors for an unknown release, component, database, flag source or blocked release.
 */
export function resolvePins(declared: Declared, definition: SystemDefinition): Pins {
  const errors: DeclaredStateError[] = [];
  const fail = (key: string, value: unknown, allowed: string): void =>
    void errors.push(new DeclaredStateError(`backout:${key}`, value, allowed));
  requirePlaces(declared, definition, fail);
  requirePorts(declared, definition, fail);
  const releases = Object.keys(declared.releases);
  const known = (key: string, release: string): boolean => {
    if (!releases.includes(release)) {
      fail(key, release, `not in the ledger backout:releases, which has ${releases.join(", ")}${suggestion(release, releases)}`);
      return false;
    }
    const incident = own(declared.blocked, release);
    if (incident !== undefined)
      fail(key, release, `blocked by ${incident}; once it is mended, remove ${release} from backout:blocked to lift the block`);
    return incident === undefined;
  };
  known("release", declared.release);
  for (const name of Object.keys(declared.components))
    if (!Object.hasOwn(definition.components, name))
      fail(
        `components.${name}`,
        name,
        `${definition.name} has no such component, only ${Object.keys(definition.components).join(", ")}${suggestion(name, Object.keys(definition.components))}`,
      );
  const components: Record<string, ComponentPin> = {};
  for (const name of Object.keys(definition.components)) {
    const pin = own(declared.components, name) ?? {};
    const release = pin.release ?? declared.release;
    if (pin.release !== undefined && !known(`components.${name}.release`, pin.release)) continue;
    const artefact = own(own(declared.releases, release)?.components, name);
    if (artefact === undefined) {
      const entry = own(declared.releases, release);
      if (entry !== undefined) fail(`releases.${release}.components`, Object.keys(entry.components), `lacks ${name}`);
      continue;
    }
    components[name] = { release, run: pin.run !== "off", config: configOf(artefact.config, pin.config), artefact };
    if (pin.restart !== undefined) components[name].restart = pin.restart;
  }
  const databases = Object.keys(definition.databases);
  const needs: Record<string, string> = {};
  // A component pinned apart to a newer release needs that one's schema.
  const pinnedReleases = new Set([declared.release, ...Object.values(components).map((pin) => pin.release)]);
  for (const database of databases) {
    const migrations = definition.databases[database]!.migrations.map((migration) => migration.name);
    for (const release of pinnedReleases) {
      const needed = own(own(declared.releases, release)?.schema, database);
      if (needed === undefined) continue;
      if (!migrations.includes(needed))
        fail(`releases.${release}.schema.${database}`, needed, `not a migration of the system: ${migrations.join(", ")}`);
      if (migrations.indexOf(needed) > migrations.indexOf(needs[database] ?? "")) needs[database] = needed;
    }
  }
  const until = declared.freeze?.until;
  const watches = Object.keys(definition.watches ?? {});
  if (until !== undefined && !watches.includes(until))
    fail("freeze.until", until, `${definition.name} has no such watch, only ${watches.join(", ") || "none"}${suggestion(until, watches)}`);
  const made = runsOn(
    definition,
    declared.releases,
    Object.fromEntries(Object.entries(components).map(([name, pin]) => [name, pin.release])),
  );
  requireScope(declared, definition, fail);
  const data = resolveData(declared.data, databases, fail);
  const constraints = resolveConstraints(declared, definition, fail);
  for (const [database, pin] of Object.entries(data))
    if (pin.kind === "repair") for (const { at, value, allowed } of wrongRepair(definition, database, pin)) fail(at, value, allowed);
  const definitions = declaredDefinitions(declared);
  if (errors.length > 0) throw new DeclaredStateErrors(errors);
  return {
    release: declared.release,
    components,
    data,
    needs,
    ...(made === undefined ? {} : { runsOn: made }),
    schema: declared.schema,
    flags: { ...own(declared.releases, declared.release)?.flags, ...declared.flags },
    ...(definition.constraints === undefined ? {} : { constraints }),
    ...(Object.keys(definitions).length === 0 ? {} : { definitions }),
    maintenance: { mode: declared.maintenance.mode, message: declared.maintenance.message ?? "" },
    snapshots: [...declared.backups.snapshots].sort(),
  };
}

/** What the ledger recorded, with what is declared over it; `null` takes a setting away. */
export function configOf(
  recorded: Record<string, string> = {},
  over: Readonly<Record<string, string | null>> = {},
): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...recorded, ...over }).flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}

/** A server exactly where a database needs one, files only for databases that are files. */
function requirePlaces(
  declared: Declared,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  const of = (engine: string): string[] =>
    Object.entries(definition.databases).flatMap(([name, database]) => (database.engine === engine ? [name] : []));
  const [onServer, inFiles] = [of("postgres"), of("sqlite")];
  if (onServer.length > 0 && declared.server === undefined)
    fail(
      "server",
      undefined,
      `${onServer.join(", ")} is a PostgreSQL database: give \`{embedded: true, port}\`, or host and user of a server`,
    );
  if (onServer.length === 0 && inFiles.length > 0 && declared.server !== undefined)
    fail("server", "given", `${definition.name} has only SQLite files (${inFiles.join(", ")}): remove it`);
  for (const name of Object.keys(declared.files))
    if (!inFiles.includes(name))
      fail(
        `files.${name}`,
        name,
        `no SQLite database of ${definition.name}, which has ${inFiles.join(", ") || "none"}${suggestion(name, inFiles)}`,
      );
}

/** Which ports a system has: of each listener, and of whatever listens behind it; a worker has one where it has a health endpoint. */
function portsOf({ components, listeners }: SystemDefinition): { required: string[]; known: string[] } {
  const behind = Object.values(listeners).flatMap(({ component, routes = {} }) => [component, ...Object.values(routes)]);
  const upstreams = [...new Set(behind)].filter((name) => own(components, name)?.kind !== "static").map((name) => `${name}-upstream`);
  const alone = Object.entries(components).filter(([name, { kind }]) => kind !== "static" && !behind.includes(name));
  const required = [
    ...Object.keys(listeners),
    ...upstreams,
    ...alone.flatMap(([name, { health }]) => (health === undefined ? [] : [name])),
  ];
  return { required, known: [...required, ...alone.map(([name]) => name), ...behind.map((name) => `${name}-upstream`)] };
}

/** Every port that is needed, none that nobody has, and no two the same: a gate that cannot listen keeps everybody out. */
function requirePorts(
  declared: Declared,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  const { required, known } = portsOf(definition);
  const names = [...new Set(known)];
  const strangers = (key: string, ports: Record<string, number>): void => {
    for (const name of Object.keys(ports))
      if (!names.includes(name))
        fail(
          `${key}.${name}`,
          ports[name],
          `nothing of ${definition.name} has this port, only ${names.join(", ")}${suggestion(name, names)}`,
        );
  };
  strangers("ports", declared.ports);
  for (const [alternative, { ports }] of Object.entries(declared.alternatives)) strangers(`alternatives.${alternative}.ports`, ports);
  for (const name of required)
    if (own(declared.ports, name) === undefined)
      fail(`ports.${name}`, undefined, `${definition.name} needs it: give a free port from 1 to 65535`);
  const taken = new Map<number, string>();
  const server = declared.server?.embedded === true ? ([["server.port", declared.server.port]] as const) : [];
  for (const [key, port] of [...server, ...Object.entries(declared.ports).map(([name, port]) => [`ports.${name}`, port] as const)]) {
    const other = taken.get(port);
    if (other !== undefined) fail(key, port, `backout:${other} has this port already: give each its own`);
    taken.set(port, key);
  }
}

/** A scope that there is, for one component exactly where it is for one. */
function requireScope(
  { scope }: Declared,
  definition: SystemDefinition,
  fail: (key: string, value: unknown, allowed: string) => void,
): void {
  if (scope === undefined) return;
  const known = Object.keys(definition.scopes);
  const components = Object.keys(definition.components);
  const { name, component } = scope;
  if (!known.includes(name))
    return fail("scope", name, `${definition.name} has no such scope, only ${known.join(", ")}${suggestion(name, known)}`);
  const forOne = definition.scopes[name]!.pins.component !== undefined;
  if (component === undefined) {
    if (forOne) fail("scope", name, `it is for one component: write {name: ${name}, component: <one of ${components.join(", ")}>}`);
  } else if (!forOne) fail("scope.component", component, `${name} says itself which components it is for: write the scope's name alone`);
  else if (!components.includes(component))
    fail("scope.component", component, `not one of ${components.join(", ")}${suggestion(component, components)}`);
}

function resolveData(
  declared: Declared["data"],
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

/** `current`, `before-v4.0.0`, `before-v4.0.0@2`, `quarantine:<database>`, `{snapshot, again}` or `{repair, snapshot, with}`. */
export function parseDataPin(text: DataPinText): DataPin {
  if (typeof text === "object" && "repair" in text) {
    const snapshot = text.snapshot === undefined ? null : parseDataPin(text.snapshot);
    return {
      kind: "repair",
      repair: text.repair,
      snapshot: snapshot?.kind === "snapshot" ? { name: snapshot.name, generation: snapshot.generation } : null,
      with: text.with,
      again: text.again ?? 0,
    };
  }
  if (typeof text === "object") {
    const pin = parseDataPin(text.snapshot);
    return pin.kind === "snapshot" ? { ...pin, again: text.again } : pin;
  }
  if (text === "current") return { kind: "current" };
  if (text.startsWith("quarantine:")) return { kind: "quarantine", name: text.slice("quarantine:".length) };
  const [name, generation] = text.split("@", 2) as [string, string | undefined];
  return { kind: "snapshot", name, generation: generation === undefined ? null : Number(generation), again: 0 };
}

export function showDataPin(pin: DataPin): string {
  switch (pin.kind) {
    case "current":
      return "current";
    case "quarantine":
      return `quarantine:${pin.name}`;
    case "snapshot":
      return `${pin.name}${pin.generation === null ? "" : `@${pin.generation}`}${pin.again > 0 ? ` (again: ${pin.again})` : ""}`;
    case "repair":
      return `repair ${pin.repair}${pin.again > 0 ? ` (again: ${pin.again})` : ""}`;
  }
}

/** Identity of a crossing: same pins, same hash. */
export function crossingOf(pins: Pins): string {
  return createHash("sha256").update(canonical(pins)).digest("hex").slice(0, 32);
}

/** JSON with sorted keys: equal values, equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
