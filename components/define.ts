/** From the short description in a program to a complete definition: everything that is not said has a default. */
import { checkDefinition } from "../config/definition.ts";
import { ConfigError, ConfigErrors } from "../config/errors.ts";
import { readMigrations } from "../config/migrations/read-folder.ts";
import type {
  DatabaseDefinition,
  ListenerDefinition,
  ScopeDefinition,
  ServiceDefinition,
  SystemDefinition,
} from "../config/system/definition.ts";
import type { MigrationDefinition } from "../config/system/migration.ts";
import { isAskedByPort } from "../config/system/health.ts";
import { defaultChecks } from "../rollout/verification/default-checks.ts";
import type * as pulumi from "./pulumi.ts";
import type { RunFacts } from "./run-facts.ts";

/** A part of a service's definition, as the ready-made workloads return it. */
export type Workload = Partial<ServiceDefinition> & { readonly workload: "process" | "site" | "command" };

/** What a program says of a service; everything of its definition can be said, too. */
export interface ServiceArgs extends Partial<Omit<ServiceDefinition, "health">> {
  /** A ready-made workload, or a function that is called with the pinned facts and returns the program's own resource. */
  run: Workload | ((facts: RunFacts) => pulumi.Resource);
  /** How it shows that it works, or the path of an endpoint that answers 200 within 60 s of a start. */
  health?: string | ServiceDefinition["health"];
  /** Users reach it through the gate. @default true for a site and a service whose health is asked over a port */
  public?: boolean;
  /** The port its users reach it at; `backout:ports` of a stack may name another. */
  port?: number;
}

/** What a program says of a database, see `postgres` and `sqlite`. */
export type DatabaseArgs = Omit<Partial<DatabaseDefinition>, "migrations"> & {
  engine: DatabaseDefinition["engine"];
  /** Folder of the migrations, relative to the program, or a list of them. @default none */
  migrations?: string | MigrationDefinition[];
};

/** What a program says of a system; everything of its definition can be said, too. */
export interface SystemArgs extends Partial<Omit<SystemDefinition, "name" | "services" | "databases">> {
  /** Its services, by name. */
  services: Record<string, ServiceArgs>;
  /** Its databases, by name. @default none */
  databases?: Record<string, DatabaseArgs>;
}

const GRACE_MS = 10_000;
const HEALTHY_WITHIN_MS = 60_000;
const SCOPE_BUDGET_SECONDS = 15 * 60;

/**
 * @param folder of the program
 * @throws ConfigErrors naming each path, its value and what is allowed
 */
export function defineSystem(name: string, args: SystemArgs | SystemDefinition, folder: string): SystemDefinition {
  if (isComplete(args)) return checkDefinition(args);
  const { services: given, databases: described = {}, ...rest } = args;
  requireMaps(given, described);
  const databases = Object.fromEntries(Object.entries(described).map(([key, database]) => [key, databaseOf(key, database, folder)]));
  const services = Object.fromEntries(
    Object.entries(given).map(([key, service]) => [key, serviceOf(key, service, Object.keys(databases))]),
  );
  const listeners = rest.listeners ?? listenersOf(given, services);
  const checks = rest.checks ?? defaultChecks({ services, databases, listeners });
  const ids = checks.map(({ id }) => id);
  return checkDefinition({
    title: name,
    folder,
    stopOrder: Object.keys(services),
    effects: [],
    defaultScope: Object.keys(rest.scopes ?? { code: null })[0],
    maintenanceMessage: `${rest.title ?? name} is down for maintenance. Please try again in a minute.`,
    retryAfterSeconds: 60,
    ports: portsOf(given),
    ...rest,
    name,
    services,
    databases,
    listeners,
    checks,
    scopes: rest.scopes ?? defaultScopes(ids),
  });
}

/** Only a complete definition has its own name in it. */
function isComplete(args: SystemArgs | SystemDefinition): args is SystemDefinition {
  return "name" in args;
}

function requireMaps(services: unknown, databases: unknown): void {
  const wrong = Object.entries({ services, databases }).filter(
    ([, value]) => typeof value !== "object" || value === null || Array.isArray(value),
  );
  if (wrong.length > 0)
    throw new ConfigErrors(wrong.map(([key, value]) => new ConfigError(`definition.${key}`, value, "must be a map, by name")));
}

function serviceOf(name: string, args: ServiceArgs, databases: string[]): ServiceDefinition {
  const { run, health: asked, public: _users, port: _port, ...own } = args;
  if (typeof run !== "function" && (typeof run !== "object" || run === null || !("workload" in run)))
    throw new ConfigErrors([
      new ConfigError(
        `definition.services.${name}.run`,
        run,
        "must be process(…), site(…), command(…), or a function that returns a resource",
      ),
    ]);
  const { workload, ...made } = typeof run === "function" ? { workload: "resource" as const } : run;
  const health = typeof asked === "string" ? { path: asked, timeoutMs: HEALTHY_WITHIN_MS } : asked;
  const kind = workload === "site" ? "static" : workload === "process" ? (isAskedByPort(health) ? "service" : "worker") : "external";
  return {
    kind,
    title: name,
    databases: kind === "static" ? [] : databases,
    stopGraceMs: GRACE_MS,
    ...made,
    ...own,
    ...(health === undefined ? {} : { health }),
  };
}

function listenersOf(given: Record<string, ServiceArgs>, services: Record<string, ServiceDefinition>): Record<string, ListenerDefinition> {
  const open = Object.keys(given).filter(
    (name) => given[name]!.public ?? (services[name]!.kind === "static" || isAskedByPort(services[name]!.health)),
  );
  return Object.fromEntries(open.map((service) => [service, { service }]));
}

function portsOf(given: Record<string, ServiceArgs>): Record<string, number> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, { port }]) => (port === undefined ? [] : [[name, port]])));
}

/** The release back and the data as it is, and both. */
function defaultScopes(checks: string[]): Record<string, ScopeDefinition> {
  const scope = (title: string, useWhen: string, data: "current" | "snapshot"): ScopeDefinition => ({
    title,
    useWhen,
    budgetSeconds: SCOPE_BUDGET_SECONDS,
    phaseBudgets: {},
    pins: { release: "to", data, schema: "keep" },
    checks,
  });
  return {
    code: scope("The release goes back, the data stays", "the data is right and the older release runs on its schema", "current"),
    full: scope("The release and the data go back", "the data is wrong, or the older release cannot run on its schema", "snapshot"),
  };
}

function databaseOf(name: string, args: DatabaseArgs, folder: string): DatabaseDefinition {
  const { migrations = [], ...own } = args;
  const listed = typeof migrations === "string" ? migrationsIn(name, migrations, folder) : { migrations };
  return { ledger: "auto", tables: [], principalTable: "", ...own, ...listed };
}

/** The migrations of a folder and how it is laid out. */
function migrationsIn(database: string, found: string, folder: string): Pick<DatabaseDefinition, "migrations" | "layout"> {
  try {
    return readMigrations(folder, found);
  } catch (error) {
    throw new ConfigErrors([new ConfigError(`definition.databases.${database}.migrations`, found, (error as Error).message)]);
  }
}

/** A PostgreSQL database. Its server is `backout:server` of the stack. */
export function postgres(args: Omit<DatabaseArgs, "engine"> = {}): DatabaseArgs {
  return { ...args, engine: "postgres" };
}

/** A SQLite file. Its place is `backout:files` of the stack. */
export function sqlite(args: Omit<DatabaseArgs, "engine"> = {}): DatabaseArgs {
  return { ...args, engine: "sqlite" };
}
