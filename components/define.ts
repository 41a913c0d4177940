/** From the short description in a program to a complete definition: everything that is not said has a default. */
import { loadChecks, type FileCheck } from "../config/checks/load.ts";
import { checkDefinition } from "../config/definition.ts";
import { inPolicyFile, policyOf, type PolicyArgs } from "../config/definition/policy-file.ts";
import { ConfigError, ConfigErrors, suggestion } from "../config/errors.ts";
import { readMigrations } from "../config/migrations/read-folder.ts";
import type {
  DatabaseDefinition,
  DrilledSystem,
  ListenerDefinition,
  ScopeDefinition,
  ServiceDefinition,
  SystemDefinition,
  WatchDefinition,
} from "../config/system/definition.ts";
import type { CheckDefinition } from "../config/system/check.ts";
import type { ConstraintDefinition } from "../config/system/constraint.ts";
import type { DrillDefinition } from "../config/system/drill.ts";
import type { MigrationDefinition } from "../config/system/migration.ts";
import { isAskedByPort, type HealthDefinition } from "../config/system/health.ts";
import { defaultChecks } from "../rollout/verification/default-checks.ts";
import type * as pulumi from "./pulumi.ts";
import type { RunFacts } from "./run-facts.ts";

/** A part of a service's definition, as the ready-made workloads return it. */
export type Workload = Partial<ServiceDefinition> & { readonly workload: "process" | "site" | "command" };

/** What a program says of a service; everything of its definition can be said, too. */
export interface ServiceArgs extends Partial<Omit<ServiceDefinition, "health">> {
  /** A ready-made workload, or a function that is called with the pinned facts and returns the program's own resource. */
  run: Workload | ((facts: RunFacts) => pulumi.Resource);
  /** How it shows that it works: `"tcp"` (its port accepts a connection), the path of an endpoint that answers 200, or more. @default none */
  health?: string | Optional<HealthDefinition, "timeoutMs">;
  /** Users reach it through the gate. @default true for a site and a service whose health is asked over a port */
  public?: boolean;
  /** Requests of its users that only read although their method says otherwise: let through while the system is read-only. */
  readOnlyAllow?: ListenerDefinition["readOnlyAllow"];
  /** The port its users reach it at; `backout:ports` of a stack may name another. */
  port?: number;
}

/** What a program says of a database, see `postgres` and `sqlite`. */
export type DatabaseArgs = Omit<Partial<DatabaseDefinition>, "migrations"> & {
  engine: DatabaseDefinition["engine"];
  /** Folder of the migrations, relative to the program, or a list of them. @default none */
  migrations?: string | MigrationDefinition[];
};

/** What a program says of a scope. Its phases have no budgets of their own, and it is verified by every check, unless it says otherwise. */
export type ScopeArgs = Optional<ScopeDefinition, "phaseBudgets" | "checks">;

/** What a program says of a watch. It is due after every scope, has every check that does not write and verifies each of these scopes, and none may fail, unless it says otherwise. */
export type WatchArgs = Optional<Omit<WatchDefinition, "pass">, "after" | "checks"> & { pass?: Partial<WatchDefinition["pass"]> };

/** What a program says of its drill. The first fault is the default, and it needs no stand-ins, unless it says otherwise. */
export type DrillArgs = Optional<DrillDefinition, "defaultFault" | "standIns">;

/** What a program says of a constraint: a check of its only database, which the catalogue describes, unless it says otherwise. */
export type ConstraintArgs = Optional<ConstraintDefinition, "database" | "kind" | "definition">;

type Optional<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;
type Own = "name" | "services" | "databases" | "scopes" | "watches" | "drill" | "policy" | "constraints";

/** What a program says of a system; everything of its definition can be said, too. */
export interface SystemArgs extends Partial<Omit<SystemDefinition, Own>> {
  /** Its services, by name. */
  services: Record<string, ServiceArgs>;
  /** Its databases, by name. @default none */
  databases?: Record<string, DatabaseArgs>;
  /** Its rollback procedures, by name. @default `code` and `full` */
  scopes?: Record<string, ScopeArgs>;
  /** Checks that are repeated for a time after a rollout, by name. @default none */
  watches?: Record<string, WatchArgs>;
  /** Constraints that a stack can drop and enforce, by name. @default none */
  constraints?: Record<string, ConstraintArgs>;
  /** How it is drilled. @default it is not */
  drill?: DrillArgs;
  /** When to roll back, who decides, who is notified. @default `policy.yaml` beside the program, if there is one */
  policy?: PolicyArgs;
}

const WORKLOADS: readonly unknown[] = ["process", "site", "command"] satisfies Workload["workload"][];
const GRACE_MS = 10_000;
const HEALTHY_WITHIN_MS = 60_000;
const SCOPE_BUDGET_SECONDS = 15 * 60;

/**
 * @param folder of the program
 * @throws ConfigErrors naming each path, its value and what is allowed
 */
export function defineSystem(name: string, args: SystemArgs & { drill: DrillArgs }, folder: string): DrilledSystem;
export function defineSystem(name: string, args: SystemArgs | SystemDefinition, folder: string): SystemDefinition;
export function defineSystem(name: string, args: SystemArgs | SystemDefinition, folder: string): SystemDefinition {
  if (isComplete(args)) return checkDefinition(args);
  const { services: given, databases: described = {}, scopes = defaultScopes(), watches, constraints, drill, ...rest } = args;
  const policy = policyOf(rest.policy, folder);
  requireMaps(given, described, Object.keys(rest));
  const databases = Object.fromEntries(Object.entries(described).map(([key, database]) => [key, databaseOf(key, database, folder)]));
  const services = Object.fromEntries(
    Object.entries(given).map(([key, service]) => [key, serviceOf(key, service, Object.keys(databases))]),
  );
  const listeners = rest.listeners ?? listenersOf(given, services);
  const checks: CheckDefinition[] = rest.checks ?? defaultChecks({ services, databases, listeners });
  const files = (): FileCheck[] =>
    loadChecks(folder, { databases, listeners: {}, scopes: scopesOf(scopes, checks), secrets: rest.secrets ?? {} });
  const complete = {
    title: name,
    folder,
    stopOrder: Object.keys(services),
    effects: [],
    defaultScope: Object.keys(scopes)[0],
    maintenanceMessage: `${rest.title ?? name} is down for maintenance. Please try again in a minute.`,
    retryAfterSeconds: 60,
    ports: portsOf(given),
    ...rest,
    ...(policy === undefined ? {} : { policy }),
    name,
    services,
    databases,
    listeners,
    checks,
    scopes: scopesOf(scopes, checks),
    ...(watches === undefined ? {} : { watches: watchesOf(watches, Object.keys(scopes), checks, files) }),
    ...(constraints === undefined ? {} : { constraints: constraintsOf(constraints, Object.keys(databases)) }),
    ...(drill === undefined ? {} : { drill: { defaultFault: Object.keys(drill.faults ?? {})[0], standIns: {}, ...drill } }),
  };
  return rest.policy === undefined ? inPolicyFile(() => checkDefinition(complete)) : checkDefinition(complete);
}

function scopesOf(scopes: Record<string, ScopeArgs>, checks: CheckDefinition[]): Record<string, ScopeDefinition> {
  const ids = checks.map(({ id }) => id);
  return mapped(scopes, (scope) => ({ phaseBudgets: {}, checks: ids, ...scope }));
}

function watchesOf(
  watches: Record<string, WatchArgs>,
  all: string[],
  own: CheckDefinition[],
  files: () => FileCheck[],
): Record<string, WatchDefinition> {
  return mapped(watches, ({ pass, ...watch }) => {
    const { after = all } = watch;
    const verifies = ({ scopes }: FileCheck): boolean =>
      scopes === null || (Array.isArray(after) && after.every((scope) => scopes.includes(scope)));
    const checks = watch.checks ?? [...own, ...files().filter(verifies)].flatMap(({ id, writes }) => (writes === true ? [] : id));
    return { after, ...watch, checks, pass: { healthyShare: 1, limits: [], ...pass } };
  });
}

function constraintsOf(constraints: Record<string, ConstraintArgs>, [database = ""]: string[]): Record<string, ConstraintDefinition> {
  return mapped(constraints, (constraint) => ({ kind: "check" as const, definition: null, database, ...constraint }));
}

/** What is no object is left for the validation. */
function mapped<T extends object, R>(values: Record<string, T>, to: (value: T) => R): Record<string, R> {
  const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
  if (!isObject(values)) return values as unknown as Record<string, R>;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, isObject(value) ? to(value) : (value as unknown as R)]));
}

/** Only a complete definition has its own name in it. */
function isComplete(args: SystemArgs | SystemDefinition): args is SystemDefinition {
  return "name" in args;
}

/** @param others keys that were given beside them */
function requireMaps(services: unknown, databases: unknown, others: string[]): void {
  const wrong = Object.entries({ services, databases }).filter(
    ([, value]) => typeof value !== "object" || value === null || Array.isArray(value),
  );
  if (wrong.length > 0)
    throw new ConfigErrors(
      wrong.map(([key, value]) => {
        const meant = value === undefined ? others.find((other) => suggestion(other, [key]) !== "") : undefined;
        const found = meant === undefined ? "" : `; \`${meant}\` is no key of a system: rename it`;
        return new ConfigError(`definition.${key}`, value, `must be a map, by name${found}`);
      }),
    );
  const noMaps = Object.entries({ services, databases }).flatMap(([key, all]) =>
    Object.entries(all as object).flatMap(([name, value]: [string, unknown]) =>
      typeof value === "object" && value !== null ? [] : [new ConfigError(`definition.${key}.${name}`, value, "must be a map")],
    ),
  );
  if (noMaps.length > 0) throw new ConfigErrors(noMaps);
}

function serviceOf(name: string, args: ServiceArgs, databases: string[]): ServiceDefinition {
  const { run, health: asked, public: open, readOnlyAllow: _allowed, port: _port, ...own } = args;
  if (typeof run !== "function" && !(typeof run === "object" && run !== null && WORKLOADS.includes(run.workload)))
    throw new ConfigErrors([
      new ConfigError(
        `definition.services.${name}.run`,
        run,
        "must be process(…), site(…), command(…), or a function that returns a resource",
      ),
    ]);
  if (open !== undefined && typeof open !== "boolean")
    throw new ConfigErrors([new ConfigError(`definition.services.${name}.public`, open, "must be `true` or `false`")]);
  const { workload, ...made } = typeof run === "function" ? { workload: "resource" as const } : run;
  const idle = workload === "site" ? Object.entries({ stopGraceMs: own.stopGraceMs, environment: own.environment && "given" }) : [];
  const wrong = idle.filter(([, value]) => value !== undefined);
  if (wrong.length > 0)
    throw new ConfigErrors(
      wrong.map(
        ([key, value]) =>
          new ConfigError(`definition.services.${name}.${key}`, value, "has no effect on a site, which is no process: remove it"),
      ),
    );
  const health =
    asked === undefined ? undefined : { timeoutMs: HEALTHY_WITHIN_MS, ...(typeof asked === "string" ? healthOf(asked) : asked) };
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

function healthOf(text: string): Partial<HealthDefinition> {
  return text === "tcp" ? { tcp: true } : { path: text };
}

function listenersOf(given: Record<string, ServiceArgs>, services: Record<string, ServiceDefinition>): Record<string, ListenerDefinition> {
  const open = Object.keys(given).filter(
    (name) =>
      given[name]!.public ??
      (services[name]!.kind === "static" || (services[name]!.kind !== "worker" && isAskedByPort(services[name]!.health))),
  );
  return Object.fromEntries(
    open.map((service) => {
      const { readOnlyAllow } = given[service]!;
      return [service, { service, ...(readOnlyAllow === undefined ? {} : { readOnlyAllow }) }];
    }),
  );
}

function portsOf(given: Record<string, ServiceArgs>): Record<string, number> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, { port }]) => (port === undefined ? [] : [[name, port]])));
}

/** The release back and the data as it is, and both. */
function defaultScopes(): Record<string, ScopeArgs> {
  const scope = (title: string, useWhen: string, data: "current" | "snapshot"): ScopeArgs => ({
    title,
    useWhen,
    budgetSeconds: SCOPE_BUDGET_SECONDS,
    pins: { release: "to", data, schema: "keep" },
  });
  return {
    code: scope("The release goes back, the data stays", "the data is right and the older release runs on its schema", "current"),
    full: scope("The release and the data go back", "the data is wrong, or the older release cannot run on its schema", "snapshot"),
  };
}

function databaseOf(name: string, args: DatabaseArgs, folder: string): DatabaseDefinition {
  const { migrations = [], ...own } = args;
  const listed = typeof migrations === "string" ? migrationsIn(name, migrations, folder) : { migrations };
  const first = Array.isArray(own.tables) ? own.tables[0] : undefined;
  return { ledger: "auto", tables: [], principalTable: first ?? "", ...own, ...listed };
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
