/** A system's definition, checked where it is loaded: what is wrong with it is found before anything stops, by every verb and every update. */
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { PHASES } from "./phases.ts";
import type { ServiceDefinition, DatabaseDefinition, ListenerDefinition, ScopeDefinition, SystemDefinition } from "./system/definition.ts";
import { DEPLOYMENT_ITEMS } from "./system/deployment.ts";
import { ConfigError, ConfigErrors, suggestion } from "./errors.ts";
import { described } from "./parse.ts";

/** What a schema has for every key of a type: a new key of the type is one here as well. */
type For<T> = Record<keyof Required<T>, z.ZodType>;

const name = z.string().min(1, "must not be empty");
const work = z.custom((value) => typeof value === "function", "must be a function");
const names = z.array(name);
const mapOf = (schema: z.ZodType): z.ZodType => z.record(z.string(), schema);
/** Data whose inside only its own readers know. */
const some = z.looseObject({});
const seconds = z.number().min(0, "must not be negative");

const service = z.strictObject({
  kind: z.enum(["service", "worker", "static"]),
  title: z.string(),
  entry: name.optional(),
  databases: names,
  health: z
    .strictObject({
      path: z.string().startsWith("/", "must begin with /"),
      body: z.string().optional(),
      timeoutMs: z.number().positive("must be more than 0"),
    })
    .optional(),
  stopGraceMs: z.number().min(0, "must not be negative"),
  environment: work.optional(),
} satisfies For<ServiceDefinition>);

const listener = z.strictObject({
  service: name,
  routes: mapOf(name).optional(),
  readOnlyAllow: z
    .array(z.strictObject({ method: z.string().regex(/^[A-Z]+$/, "must be a method, e.g. POST"), path: z.string() }))
    .optional(),
} satisfies For<ListenerDefinition>);

const database = z.strictObject({
  engine: z.enum(["postgres", "sqlite"]),
  migrations: z.array(z.strictObject({ name, path: name })),
  ledger: z.enum(["prisma", "supabase", "backout"]),
  tables: names,
  principalTable: z.string(),
  appendOnly: names.optional(),
  newerSchema: z.literal("breaks").optional(),
  refreshViews: z.literal(true).optional(),
  repairs: mapOf(some).optional(),
} satisfies For<DatabaseDefinition>);

const scope = z.strictObject({
  title: z.string(),
  useWhen: z.string(),
  budgetSeconds: seconds,
  phaseBudgets: mapOf(seconds),
  pins: some,
  checks: names,
} satisfies For<ScopeDefinition>);

const definitionSchema = z.strictObject({
  name,
  title: z.string(),
  folder: name,
  services: mapOf(service),
  stopOrder: names,
  databases: mapOf(database),
  listeners: mapOf(listener),
  secrets: mapOf(
    z.strictObject({ generate: z.literal(true, "must be `true`: leave it out for a secret that must be given").optional() }),
  ).optional(),
  flags: z.strictObject({ database: name, readSql: name, writeSql: name, requiresTable: name }).optional(),
  constraints: mapOf(some).optional(),
  constraintRecords: some.optional(),
  effects: z.array(z.strictObject({ service: name, title: z.string(), database: name, countSql: name, requiresTable: name })),
  scopes: mapOf(scope),
  defaultScope: name,
  partialMigrationScope: name.optional(),
  checks: z.array(z.looseObject({ id: name, title: z.string(), run: work })),
  watches: mapOf(z.looseObject({ after: names, checks: names, follows: name.optional() })).optional(),
  actions: mapOf(z.looseObject({ database: name, after: names, watches: names })).optional(),
  readProbe: work.optional(),
  protections: z.array(z.looseObject({ id: name, database: name, readSql: name, restrictSql: name, giveBackSql: name })).optional(),
  evidence: z.looseObject({ captures: z.array(some) }).optional(),
  auditEntry: z.looseObject({ database: name, table: name, entry: work }).optional(),
  completion: z.looseObject({ targets: z.array(some), measure: work.optional() }).optional(),
  deployment: z.strictObject({ before: z.array(z.enum(DEPLOYMENT_ITEMS)), trialWithinHours: z.number() }).optional(),
  policy: some.optional(),
  maintenanceMessage: name,
  retryAfterSeconds: z.number().int().min(0, "must not be negative"),
  drainSeconds: seconds.optional(),
  settleSeconds: seconds.optional(),
  // Only who drills needs it.
  drill: z
    .looseObject({
      from: name,
      to: name,
      defaultFault: name,
      faults: mapOf(z.looseObject({ scope: name })),
      seed: work,
      witness: z.looseObject({ service: name, table: name, key: name, value: name }),
      standIns: mapOf(z.looseObject({ entry: name })),
    })
    .optional(),
} satisfies For<SystemDefinition>);

/** Under which keys of the errors a definition is known. */
const UNDER = "definition.";

const valid = new WeakSet<object>();

/** @throws ConfigErrors naming each path, what stands there and what is allowed. */
export function checkDefinition(given: unknown): SystemDefinition {
  if (typeof given === "object" && given !== null && valid.has(given)) return given as SystemDefinition;
  const parsed = definitionSchema.safeParse(given);
  const errors = parsed.success
    ? wrongNames(given as SystemDefinition)
    : described(parsed.error.issues, { schema: definitionSchema, values: given, under: UNDER });
  if (errors.length > 0) throw new ConfigErrors(errors);
  valid.add(given as object);
  return given as SystemDefinition;
}

type Fail = (path: string, value: unknown, allowed: string) => void;

/** Names that stand for nothing, and what contradicts itself. */
function wrongNames(system: SystemDefinition): ConfigError[] {
  const errors: ConfigError[] = [];
  const fail: Fail = (path, value, allowed) => void errors.push(new ConfigError(`${UNDER}${path}`, value, allowed));
  if (!isAbsolute(system.folder) || !existsSync(system.folder))
    fail("folder", system.folder, "must be the absolute path of the system's folder, which exists");
  if (Object.keys(system.services).length === 0) fail("services", {}, "must name at least one service");
  wrongServices(system, fail);
  wrongListeners(system, fail);
  for (const [database, described] of Object.entries(system.databases)) wrongDatabase(system, database, described, fail);
  wrongUses(system, fail);
  for (const [scope, described] of Object.entries(system.scopes)) wrongScope(system, scope, described, fail);
  wrongChecks(system, fail);
  return errors;
}

/** Requires each name to be one of those that are known. */
function among(fail: Fail, what: string, known: readonly string[]): (path: string, given: string | undefined) => void {
  return (path, given) => {
    if (given === undefined || known.includes(given)) return;
    fail(path, given, `no ${what} of the definition, only ${known.join(", ") || "none"}${suggestion(given, [...known])}`);
  };
}

function wrongServices({ services, databases, stopOrder }: SystemDefinition, fail: Fail): void {
  const isDatabase = among(fail, "database", Object.keys(databases));
  for (const [service, { kind, entry, databases: own }] of Object.entries(services)) {
    own.forEach((database, index) => isDatabase(`services.${service}.databases.${index}`, database));
    if (kind === "static" && entry !== undefined) fail(`services.${service}.entry`, entry, "a static service has no program: remove it");
    if (kind !== "static" && entry === undefined)
      fail(`services.${service}.entry`, entry, "must name the program inside the release folder");
  }
  const isService = among(fail, "service", Object.keys(services));
  stopOrder.forEach((service, index) => {
    isService(`stopOrder.${index}`, service);
    if (stopOrder.indexOf(service) !== index) fail(`stopOrder.${index}`, service, "stands there twice: remove one");
  });
}

function wrongListeners({ services, listeners }: SystemDefinition, fail: Fail): void {
  const isService = among(fail, "service", Object.keys(services));
  for (const [listener, { service, routes = {} }] of Object.entries(listeners)) {
    isService(`listeners.${listener}.service`, service);
    if (Object.hasOwn(services, service) && service !== listener)
      fail(`listeners.${listener}`, listener, `a listener has the name of its service: call it ${service}`);
    if (Object.keys(routes).length > 0 && Object.hasOwn(services, service) && services[service]!.kind !== "static")
      fail(`listeners.${listener}.routes`, routes, `${service} is no static service, so that all of its paths are its own: remove them`);
    for (const [path, to] of Object.entries(routes)) {
      isService(`listeners.${listener}.routes.${path}`, to);
      if (!path.startsWith("/")) fail(`listeners.${listener}.routes`, path, "must begin with /");
      if (Object.hasOwn(services, to) && services[to]!.kind === "static")
        fail(`listeners.${listener}.routes.${path}`, to, "must be a service that listens, and this one is static");
    }
  }
}

const LEDGERS = { postgres: ["prisma", "supabase"], sqlite: ["backout"] };

function wrongDatabase({ folder }: SystemDefinition, database: string, described: DatabaseDefinition, fail: Fail): void {
  const { engine, ledger, migrations, tables, principalTable } = described;
  const path = `databases.${database}`;
  if (!LEDGERS[engine].includes(ledger)) fail(`${path}.ledger`, ledger, `must be ${LEDGERS[engine].join(" or ")} for engine ${engine}`);
  migrations.forEach((migration, index) => {
    if (migrations.findIndex(({ name }) => name === migration.name) !== index)
      fail(`${path}.migrations.${index}.name`, migration.name, "stands there twice: each migration has a name of its own");
    const file = join(folder, migration.path, "migration.sql");
    if (!existsSync(file))
      fail(`${path}.migrations.${index}.path`, migration.path, `must be a folder with a migration.sql; there is no ${file}`);
  });
  tables.forEach((table, index) => {
    if (tables.indexOf(table) !== index) fail(`${path}.tables.${index}`, table, "stands there twice: remove one");
  });
  if (tables.length > 0) among(fail, "table", tables)(`${path}.principalTable`, principalTable);
}

function wrongUses(system: SystemDefinition, fail: Fail): void {
  const isService = among(fail, "service", Object.keys(system.services));
  const isDatabase = among(fail, "database", Object.keys(system.databases));
  isDatabase("flags.database", system.flags?.database);
  isDatabase("auditEntry.database", system.auditEntry?.database);
  system.effects.forEach(({ service, database }, index) => {
    isService(`effects.${index}.service`, service);
    isDatabase(`effects.${index}.database`, database);
  });
  system.protections?.forEach(({ database }, index) => isDatabase(`protections.${index}.database`, database));
  for (const [id, { database }] of Object.entries(system.actions ?? {})) isDatabase(`actions.${id}.database`, database);
  const isScope = among(fail, "scope", Object.keys(system.scopes));
  isScope("defaultScope", system.defaultScope);
  isScope("partialMigrationScope", system.partialMigrationScope);
  const { drill } = system as Partial<SystemDefinition>;
  if (drill === undefined) return;
  among(fail, "listener", Object.keys(system.listeners))("drill.witness.service", drill.witness.service);
  among(fail, "fault", Object.keys(drill.faults))("drill.defaultFault", drill.defaultFault);
  for (const [fault, { scope }] of Object.entries(drill.faults)) isScope(`drill.faults.${fault}.scope`, scope);
}

const pinsSchema = z.strictObject({
  release: z.literal("to").optional(),
  services: mapOf(some).optional(),
  service: some.optional(),
  data: z.union([z.enum(["current", "snapshot"]), z.strictObject({ repair: name })]).optional(),
  schema: z.enum(["keep", "mark", "down"]).optional(),
  flags: mapOf(z.boolean()).optional(),
  constraints: z.union([z.literal("release"), mapOf(z.enum(["enforced", "unvalidated", "dropped"]))]).optional(),
  violations: z.enum(["reject", "quarantine"]).optional(),
  maintenance: z.strictObject({ mode: z.enum(["off", "read-only", "full"]), message: z.string().optional() }).optional(),
  freeze: z.strictObject({ reason: name, until: name.optional() }).optional(),
} satisfies For<ScopeDefinition["pins"]>);

function wrongScope(system: SystemDefinition, scope: string, { pins, checks, phaseBudgets }: ScopeDefinition, fail: Fail): void {
  const path = `scopes.${scope}`;
  const parsed = pinsSchema.safeParse(pins);
  if (!parsed.success) {
    for (const { key, value, allowed } of described(parsed.error.issues, { schema: pinsSchema, values: pins, under: `${path}.pins.` }))
      fail(key, value, allowed);
    return;
  }
  const isCheck = among(fail, "check", idsOf(system));
  checks.forEach((check, index) => isCheck(`${path}.checks.${index}`, check));
  const isService = among(fail, "service", Object.keys(system.services));
  for (const service of Object.keys(pins.services ?? {})) isService(`${path}.pins.services`, service);
  for (const phase of Object.keys(phaseBudgets)) among(fail, "phase", PHASES)(`${path}.phaseBudgets`, phase);
  among(fail, "watch", Object.keys(system.watches ?? {}))(`${path}.pins.freeze.until`, pins.freeze?.until);
  if (typeof pins.constraints === "object")
    for (const constraint of Object.keys(pins.constraints))
      among(fail, "constraint", Object.keys(system.constraints ?? {}))(`${path}.pins.constraints`, constraint);
  if (pins.flags !== undefined && system.flags === undefined)
    fail(`${path}.pins.flags`, Object.keys(pins.flags), "the definition says nowhere where flags live: give it `flags`");
  const repairs = ["rows", ...Object.values(system.databases).flatMap((database) => Object.keys(database.repairs ?? {}))];
  if (typeof pins.data === "object") among(fail, "repair", repairs)(`${path}.pins.data.repair`, pins.data.repair);
}

function idsOf({ checks }: SystemDefinition): string[] {
  return checks.map(({ id }) => id);
}

function wrongChecks(system: SystemDefinition, fail: Fail): void {
  const ids = idsOf(system);
  ids.forEach((id, index) => {
    if (ids.indexOf(id) !== index) fail(`checks.${index}.id`, id, "stands there twice: each check has an id of its own");
  });
  const scopes = [...Object.keys(system.scopes), "deploy"];
  const watches = Object.keys(system.watches ?? {});
  const isCheck = among(fail, "check", ids);
  for (const [watch, { checks, after, follows }] of Object.entries(system.watches ?? {})) {
    checks.forEach((check, index) => isCheck(`watches.${watch}.checks.${index}`, check));
    after.forEach((scope, index) => among(fail, "scope", scopes)(`watches.${watch}.after.${index}`, scope));
    among(fail, "watch", watches)(`watches.${watch}.follows`, follows);
  }
  for (const [action, { after, watches: awaited }] of Object.entries(system.actions ?? {})) {
    after.forEach((scope, index) => among(fail, "scope", scopes)(`actions.${action}.after.${index}`, scope));
    awaited.forEach((watch, index) => among(fail, "watch", watches)(`actions.${action}.watches.${index}`, watch));
  }
}
