/**
 * What a system *is*: its services, databases, scopes, checks and effects, as data. What the system *should be now* is declared in
 * `stacks/Pulumi.<stack>.yaml`. One definition per folder below `systems/`.
 */
import type { Client } from "pg";
import type { LedgerName } from "./ledgers.ts";
import type { MigrationDefinition, MigrationLayout } from "./migration.ts";
import type { CompletionDefinition } from "./completion.ts";
import type { DeploymentDefinition } from "./deployment.ts";
import type { ConstraintDefinition, ConstraintRecords, ConstraintState } from "./constraint.ts";
import type { AuditEntryDefinition, EvidenceDefinition } from "./evidence.ts";
import type { PolicyDefinition } from "./policy.ts";
import type { ProtectionDefinition } from "./protection.ts";
import type { RepairDefinition } from "./repair.ts";
import type { SecretDefinition } from "./secret.ts";
import type { TrafficDefinition } from "./traffic.ts";
import type { CheckContext, CheckDefinition } from "./check.ts";
import type { DrillDefinition } from "./drill.ts";
import type { ServiceDefinition } from "./service.ts";

export type { EnvironmentContext, ServiceDefinition, ServiceKind } from "./service.ts";

/** A public listener of the traffic gate. */
export interface ListenerDefinition {
  /** The service whose traffic enters here. */
  service: string;
  /** Paths below which requests go to another service, e.g. `{"/api": "backend"}`: a site and its API under one origin. */
  routes?: Record<string, string>;
  /** Requests that only read although their method says otherwise: let through while the system is read-only. */
  readOnlyAllow?: { method: string; path: string }[];
}

/** SQL run in the live database; `rows` is a count. */
export interface EffectDefinition {
  /** The service that causes it. */
  service: string;
  /** Effects that cannot be undone, in words: "rows already pushed to the payment API". */
  title: string;
  /** The database that the query runs in. */
  database: string;
  /** `SELECT count(*)::int AS rows …` with `$1` = time of the snapshot or deployment the rollback goes back to (timestamptz). */
  countSql: string;
  /** Table that must exist for the query to make sense. */
  requiresTable: string;
}

/** A database of a system. Where it is, the stack file says: `backout:server` or `backout:files`. */
export interface DatabaseDefinition {
  /** Its engine. */
  engine: "postgres" | "sqlite";
  /**
   * Every migration the system ever had, oldest first. A release names the newest one it needs. A definition may name a folder instead, relative
   * to the system's folder: it is read when the definition is loaded.
   */
  migrations: MigrationDefinition[];
  /** How the folder of the migrations is laid out. Absent: they are listed one by one. */
  layout?: MigrationLayout;
  /**
   * Which ledger the system keeps its migrations in, by its tool. `auto`: the one that is found in the database; where there is none, the one of the
   * migrations' layout. `backout`: `_backout_migrations`.
   * @default "auto"
   */
  ledger: LedgerName | "auto";
  /**
   * Command that applies newer migrations, run by a shell inside the fence, in the project's folder. Its environment has the owner's url in
   * `urlVariable`, the newest migration that is needed in `BACKOUT_SCHEMA` and the release in `BACKOUT_RELEASE`. Absent: backout runs the scripts.
   * @example "alembic upgrade $BACKOUT_SCHEMA"
   */
  migrate?: string;
  /** Command that reverts what is newer than `BACKOUT_SCHEMA`, run in the same way where `backout:schema` is `down`. Absent: the down scripts are run. */
  migrateDown?: string;
  /** Environment variable in which both commands get the url. @default "DATABASE_URL" */
  urlVariable?: string;
  /**
   * Tables that users know by name, parents before children: they come first wherever tables are listed. Every other table of the database is
   * counted, compared and exported as well.
   */
  tables: string[];
  /** Tables of which one names the number users care for (verification compares it by name). */
  principalTable: string;
  /** Tables that backout or the system itself adds rows to during a rollback: new rows there do not count as lost. */
  appendOnly?: string[];
  /**
   * `breaks`: an older release cannot run on the schema of a newer one: status, preview and verification report one that runs on it nevertheless.
   * `runs`: it can, although its migration tool refuses revisions that it does not know, because no release starts the tool itself.
   * Absent: it can, unless the tool refuses.
   */
  newerSchema?: "breaks" | "runs";
  /**
   * Materialised views are filled again inside the fence wherever data was restored or migrated: a copy brings them as stale as they were.
   */
  refreshViews?: true;
  /** Repairs in place that a data pin can name, besides `rows`, which every database has. */
  repairs?: Record<string, RepairDefinition>;
}

/** What a scope pins for one service. */
export interface ServiceScope {
  /** It goes to the goal of the rollback. Absent: its release stays. */
  release?: "to";
  /** It is started or stopped. Absent: as declared. */
  run?: "on" | "off";
  /** The configuration the ledger recorded comes back: overrides are dropped, all of them or those of these keys. */
  config?: "ledger" | readonly string[];
  /** It restarts, with a new environment, even if nothing else of it changes. */
  restart?: true;
}

/** What a scope pins. `from` is the newer release, `to` the goal of the rollback. */
export interface ScopePins {
  /** `to`: the stack's release goes to the goal. Absent: the release pin stays. */
  release?: "to";
  /** What is pinned for single services, by name. */
  services?: Record<string, ServiceScope>;
  /** What is asked of the one service that `--service` names. */
  service?: ServiceScope;
  /** `snapshot`: the data is restored from the snapshot before the newer release. A repair: it is repaired in place. */
  data?: "current" | "snapshot" | { repair: string };
  /** What becomes of newer migrations where the data stays. */
  schema?: "keep" | "mark" | "down";
  /** Feature flags, by name. */
  flags?: Record<string, boolean>;
  /** Constraints by name; `release`: the set the pinned release comes with. */
  constraints?: Record<string, ConstraintState> | "release";
  /** What happens to rows that violate a constraint to enforce. */
  violations?: "reject" | "quarantine";
  /** Maintenance after the rollback, until somebody ends it. */
  maintenance?: { mode: "off" | "read-only" | "full"; message?: string };
  /** A freeze afterwards: no newer release may be deployed until a person lifts it, or the named watch has passed. */
  freeze?: { reason: string; until?: string };
}

/** A kind of rollback: what it pins, how it is verified, how long it may take. */
export interface ScopeDefinition {
  /** What it does, in words. */
  title: string;
  /** When to use this scope, as the smallest sufficient one. */
  useWhen: string;
  /** Documented time target, seconds. */
  budgetSeconds: number;
  /** Documented time per phase, seconds, keyed by phase name (see config/phases.ts). */
  phaseBudgets: Record<string, number>;
  /** What it writes into the stack file. */
  pins: ScopePins;
  /** Ids of the checks that verify this scope. */
  checks: string[];
}

/** What the figures of a watch must keep to. */
export interface WatchLimit {
  /** The limit in words. */
  title: string;
  /** Name of a figure that a check of the watch measures. */
  figure: string;
  /** The figure it is divided by: `errors` per `requests`. */
  per?: string;
  /** `sum`: over all polls; `max`: in any one poll; `growth`: from the first to the last poll. */
  over: "sum" | "max" | "growth";
  /** The figure must be below this. */
  below: number;
}

/**
 * Repeated checks for a time after a rollout. Not part of the rollback's budget; changes nothing.
 * Its polls lie at the end of each interval: 15 minutes at 60 seconds are 15 polls. Time without polls does not count.
 */
export interface WatchDefinition {
  /** What it watches, in words. */
  title: string;
  /** Scopes after which it is due; `deploy`: after a deployment. */
  after: string[];
  /** Watch that has to have passed before this one begins. */
  follows?: string;
  /** How long it lasts. Minutes. */
  durationMinutes: number;
  /** Time between two polls. Seconds. */
  intervalSeconds: number;
  /** Ids of checks that do not write. */
  checks: string[];
  /** When it has passed. */
  pass: {
    /** Share of polls in which no check may fail, 0 to 1; 1: all of them. */
    healthyShare: number;
    limits: WatchLimit[];
  };
}

/**
 * A step that a person confirms and runs once after a rollback has proved good, e.g. dropping the newer release's tables. Its rows are
 * exported first, and the export is tested by restoring it beside the original.
 */
export interface ActionDefinition {
  /** What it does, in words. */
  title: string;
  /** Why it may be done, and why not earlier. */
  why: string;
  /** Scopes after which it may be done. The rollback must have opened, and nothing newer may have come after it. */
  after: string[];
  /** Watches that must have passed since the rollback. */
  watches: string[];
  /** The database that it runs in. */
  database: string;
  /** Migration whose objects it takes away: refused while a pinned release needs it, marked as rolled back afterwards. */
  migration?: string;
  /** Tables whose rows are kept as files first. */
  keeps: string[];
  /** `drop`: the kept tables, CASCADE. Else anything in the action's transaction; resolves with what was done, null: unchanged. */
  work: "drop" | ((session: Client) => Promise<string | null>);
}

/** Where feature flags live. */
export interface FlagStoreDefinition {
  /** The database that it is in. */
  database: string;
  /** Returns rows of `name` (text) and `enabled` (boolean). */
  readSql: string;
  /** `$1` name, `$2` enabled. Inserts or updates. */
  writeSql: string;
  /** The table that the statements need; without it there are no flags. */
  requiresTable: string;
}

/** A complete definition of a system. `System` makes one from what a program says, with defaults for the rest. */
export interface SystemDefinition {
  /** Its name: letters, digits, `_` and `-`. */
  name: string;
  /** Its name in words. */
  title: string;
  /** Absolute path of the system's folder. */
  folder: string;
  /** Its services, by name. */
  services: Record<string, ServiceDefinition>;
  /** Stop order, first to stop first; they start the other way round. Services that are not named stop last. */
  stopOrder: string[];
  /** Its databases, by name. */
  databases: Record<string, DatabaseDefinition>;
  /** Public listeners of the gate, by name of their port. */
  listeners: Record<string, ListenerDefinition>;
  /** How users reach the listeners. Default: backout's own proxy, on 127.0.0.1. */
  traffic?: TrafficDefinition;
  /** Secrets the services and the checks need besides the database's, by name; one that is not set is refused before anything stops. */
  secrets?: Record<string, SecretDefinition>;
  /**
   * How long every service must have run, healthy and without a new start, before users are let in, counted from its start while the checks
   * go on. Default: 3 s for a deployment, 1 s on the way back to a release that ran before.
   */
  settleSeconds?: number;
  /** Where its feature flags are. Absent: it has none. */
  flags?: FlagStoreDefinition;
  /** By name, in the order in which constraints of the same priority are dropped. */
  constraints?: Record<string, ConstraintDefinition>;
  /** Its own record of dropped and restored constraints. Absent: it keeps none. */
  constraintRecords?: ConstraintRecords;
  /** What a rollback cannot undo. */
  effects: EffectDefinition[];
  /** Its kinds of rollback, by name. */
  scopes: Record<string, ScopeDefinition>;
  /** The scope of a rollback where options name another goal, but no scope. */
  defaultScope: string;
  /** Scope `deploy` goes back by when a migration failed half-way; absent: the data goes back to the snapshot taken before it. */
  partialMigrationScope?: string;
  /** What verification checks, in this order. */
  checks: CheckDefinition[];
  /** By id, in the order in which they are due. */
  watches?: Record<string, WatchDefinition>;
  /** By id. */
  actions?: Record<string, ActionDefinition>;
  /**
   * Prepares (logs in) and resolves with one read as a user makes it, which throws where it fails. The median of a few is the baseline's
   * latency.
   */
  readProbe?(context: Pick<CheckContext, "url" | "fetch" | "secret">): Promise<() => Promise<void>>;
  /** Restrictions besides the gate, in the order in which they are put on. */
  protections?: ProtectionDefinition[];
  /** Files that are captured in each run. Absent: none. */
  evidence?: EvidenceDefinition;
  /** Rows about a rollback in its own data. Absent: none. */
  auditEntry?: AuditEntryDefinition;
  /** Targets of a finished rollback. Absent: none. */
  completion?: CompletionDefinition;
  /** What has to be done before a release is deployed; absent: nothing. */
  deployment?: DeploymentDefinition;
  /** When to roll back, who decides, who is notified: data for people and for the decision code. */
  policy?: PolicyDefinition;
  /** Message of the gate while it is closed for a rollout. */
  maintenanceMessage: string;
  /** Value of `Retry-After` while the gate is closed. Seconds. */
  retryAfterSeconds: number;
  /** How long requests under way may take to finish after the gate has closed and before their services stop. Seconds. @default 5 */
  drainSeconds?: number;
  /** Ports that a stack uses unless `backout:ports` says otherwise, by name. */
  ports?: Record<string, number>;
  /** How the system is drilled; absent: it is not. */
  drill?: DrillDefinition;
}

/** A system that can be drilled. */
export type DrilledSystem = SystemDefinition & { drill: DrillDefinition };
