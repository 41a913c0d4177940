/** The schema of a definition: its keys and their types. The rules check relations between values. */
import { z } from "zod";
import type {
  ActionDefinition,
  DatabaseDefinition,
  ListenerDefinition,
  ScopeDefinition,
  ServiceDefinition,
  ServiceScope,
  SystemDefinition,
  WatchDefinition,
  WatchLimit,
} from "../system/definition.ts";
import type { ServiceControl } from "../system/control.ts";
import type { HealthDefinition } from "../system/health.ts";
import { DEPLOYMENT_ITEMS } from "../system/deployment.ts";
import type { CaptureDefinition, EvidenceDefinition } from "../system/evidence.ts";
import { LEDGER_NAMES } from "../system/ledgers.ts";
import { LEDGER_OF_LAYOUT, type MigrationDefinition, type MigrationLayout, type ScriptPlace } from "../system/migration.ts";
import type { ProtectionDefinition } from "../system/protection.ts";
import { policy } from "./policy-schema.ts";
import { traffic } from "./traffic.ts";
import { command, duration, mapOf, name, names, positive, some, work, type For } from "./values.ts";

const health = z.strictObject({
  path: z.string().startsWith("/", "must begin with /").optional(),
  body: z.string().optional(),
  command: command.optional(),
  tcp: z.literal(true, "must be `true`, or left out").optional(),
  timeoutMs: positive,
} satisfies For<HealthDefinition>);

const service = z.strictObject({
  kind: z.enum(["service", "worker", "static", "external"]),
  title: z.string(),
  entry: name.optional(),
  command: command.optional(),
  cwd: name.optional(),
  build: command.optional(),
  databases: names,
  databaseRole: name.optional(),
  databaseSecret: name.optional(),
  health: health.optional(),
  stopGraceMs: z.number().min(0, "must not be negative"),
  environment: work.optional(),
  control: z
    .strictObject({
      install: work.optional(),
      stop: work.optional(),
      start: work.optional(),
      observe: work.optional(),
    } satisfies For<ServiceControl>)
    .optional(),
} satisfies For<ServiceDefinition>);

const listener = z.strictObject({
  service: name,
  routes: mapOf(name).optional(),
  readOnlyAllow: z
    .array(z.strictObject({ method: z.string().regex(/^[A-Z]+$/, "must be a method, e.g. POST"), path: z.string() }))
    .optional(),
} satisfies For<ListenerDefinition>);

const script = z.strictObject({ file: name, sections: z.enum(["dbmate", "goose"]).optional() } satisfies For<ScriptPlace>);

const migration = z.strictObject({
  name,
  path: name,
  version: name.optional(),
  after: names.optional(),
  scripts: z.union([z.literal("tool"), z.strictObject({ up: script, down: script.optional() })]).optional(),
} satisfies For<MigrationDefinition>);

const database = z.strictObject({
  engine: z.enum(["postgres", "sqlite"]),
  migrations: z.array(migration),
  layout: z.enum(Object.keys(LEDGER_OF_LAYOUT) as [MigrationLayout, ...MigrationLayout[]]).optional(),
  ledger: z.enum(["auto", ...LEDGER_NAMES]),
  migrate: name.optional(),
  migrateDown: name.optional(),
  urlVariable: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, "must be the name of an environment variable, e.g. DATABASE_URL")
    .optional(),
  tables: names,
  principalTable: z.string(),
  appendOnly: names.optional(),
  newerSchema: z.enum(["breaks", "runs"]).optional(),
  refreshViews: z.literal(true).optional(),
  repairs: mapOf(some).optional(),
} satisfies For<DatabaseDefinition>);

const serviceScope = z.strictObject({
  release: z.literal("to").optional(),
  run: z.enum(["on", "off"]).optional(),
  config: z.union([z.literal("ledger"), z.array(name, "must be `ledger`, or a list of keys")]).optional(),
  restart: z.literal(true, "must be `true`, or left out").optional(),
} satisfies For<ServiceScope>);

const scope = z.strictObject({
  title: z.string(),
  useWhen: z.string(),
  budgetSeconds: duration,
  phaseBudgets: mapOf(duration),
  pins: some,
  checks: names,
} satisfies For<ScopeDefinition>);

export const pinsSchema = z.strictObject({
  release: z.literal("to").optional(),
  services: mapOf(serviceScope).optional(),
  service: serviceScope.optional(),
  data: z.union([z.enum(["current", "snapshot"]), z.strictObject({ repair: name })]).optional(),
  schema: z.enum(["keep", "mark", "down"]).optional(),
  flags: mapOf(z.boolean()).optional(),
  constraints: z.union([z.literal("release"), mapOf(z.enum(["enforced", "unvalidated", "dropped"]))]).optional(),
  violations: z.enum(["reject", "quarantine"]).optional(),
  maintenance: z.strictObject({ mode: z.enum(["off", "read-only", "full"]), message: z.string().optional() }).optional(),
  freeze: z.strictObject({ reason: name, until: name.optional() }).optional(),
} satisfies For<ScopeDefinition["pins"]>);

const limit = z.strictObject({
  title: name,
  figure: name,
  per: name.optional(),
  over: z.enum(["sum", "max", "growth"]),
  below: z.number(),
} satisfies For<WatchLimit>);

const SHARE = "must be a share above 0 and at most 1";

const watch = z.strictObject({
  title: z.string(),
  after: names.min(1, "must name a scope after which it is due, or `deploy`"),
  follows: name.optional(),
  durationMinutes: positive,
  intervalSeconds: positive,
  checks: names.min(1, "must name a check: without one it watches nothing"),
  pass: z.strictObject({ healthyShare: z.number().gt(0, SHARE).max(1, SHARE), limits: z.array(limit) }),
} satisfies For<WatchDefinition>);

const action = z.strictObject({
  title: z.string(),
  why: z.string(),
  after: names.min(1, "must name a scope after which it may be done"),
  watches: names,
  database: name,
  migration: name.optional(),
  keeps: names,
  work: z.custom((value) => value === "drop" || typeof value === "function", "must be `drop` or a function"),
} satisfies For<ActionDefinition>);

const protection = z.strictObject({
  id: name,
  title: z.string(),
  database: name,
  requiresTable: name,
  readSql: name,
  restrictSql: name,
  giveBackSql: name,
  scopes: names.optional(),
} satisfies For<ProtectionDefinition>);

const capture = z.strictObject({
  id: name,
  title: z.string(),
  moment: z.enum(["protect", "fenced", "end"]),
  of: z.enum(["back", "forward"]).optional(),
  file: name,
  capture: work,
} satisfies For<CaptureDefinition>);

const evidence = z.strictObject({
  anchor: name,
  archive: name.optional(),
  backups: z.strictObject({ folder: name, begin: z.string() }).optional(),
  captures: z.array(capture),
} satisfies For<EvidenceDefinition>);

/** Only drills need it. */
const drill = z.looseObject({
  from: name,
  to: name,
  defaultFault: name,
  faults: mapOf(
    z.looseObject({
      scope: name,
      service: name.optional(),
      configure: mapOf(mapOf(z.string())).optional(),
      after: name.optional(),
      hinder: z.strictObject({ portOf: name }).optional(),
      switchOn: work,
      probe: work,
    }),
  ),
  seed: work,
  witness: z.looseObject({ service: name, table: name, key: name, value: name }),
  standIns: mapOf(z.looseObject({ entry: name })),
});

const A_PORT = "must be a port from 1 to 65535";

export const definitionSchema = z.strictObject({
  name,
  title: z.string(),
  folder: name,
  services: mapOf(service),
  stopOrder: names,
  databases: mapOf(database),
  listeners: mapOf(listener),
  traffic: traffic.optional(),
  secrets: mapOf(
    z.strictObject({ generate: z.literal(true, "must be `true`: leave it out for a secret that must be given").optional() }),
  ).optional(),
  flags: z.strictObject({ database: name, readSql: name, writeSql: name, requiresTable: name }).optional(),
  constraints: mapOf(z.looseObject({ database: name, table: name })).optional(),
  constraintRecords: z.looseObject({ database: name }).optional(),
  effects: z.array(z.strictObject({ service: name, title: z.string(), database: name, countSql: name, requiresTable: name })),
  scopes: mapOf(scope).refine(
    (scopes) => Object.keys(scopes as object).length > 0,
    "must name at least one scope: without one nothing can go back",
  ),
  defaultScope: name,
  partialMigrationScope: name.optional(),
  checks: z.array(z.looseObject({ id: name, title: z.string(), run: work })),
  watches: mapOf(watch).optional(),
  actions: mapOf(action).optional(),
  readProbe: work.optional(),
  protections: z.array(protection).optional(),
  evidence: evidence.optional(),
  auditEntry: z.looseObject({ database: name, table: name, entry: work }).optional(),
  completion: z.looseObject({ targets: z.array(z.looseObject({ metric: name })), measure: work.optional() }).optional(),
  deployment: z.strictObject({ before: z.array(z.enum(DEPLOYMENT_ITEMS)), trialWithinHours: duration }).optional(),
  policy: policy.optional(),
  maintenanceMessage: name,
  retryAfterSeconds: z.number().int().min(0, "must not be negative"),
  drainSeconds: duration.optional(),
  settleSeconds: duration.optional(),
  ports: mapOf(z.number().int(A_PORT).min(1, A_PORT).max(65535, A_PORT)).optional(),
  drill: drill.optional(),
} satisfies For<SystemDefinition>);
