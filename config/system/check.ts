/** A check of a system: its input and its result. */
import type { SchemaObjects } from "./schema-objects.ts";
import type { Client } from "pg";
import type { DatabaseSync } from "node:sqlite";
import type { Counting } from "./counting.ts";
import type { ConstraintState } from "./constraint.ts";
import type { HeldProtection } from "./protection.ts";

/** `skipped`: it could not say, and keeps nobody out. */
export type CheckStatus = "passed" | "failed" | "skipped";

/** What a check said. */
export interface CheckResult {
  /** Id of the check. */
  name: string;
  /** Whether it passed. */
  status: CheckStatus;
  /** What the check saw, with figures. */
  detail: string;
  /** What it measured. Absent: nothing. */
  figures?: Figures;
}

/** What a check measured, by name: `{ requests: 50, errors: 0, rssBytes: 90_000_000 }`. A watch adds them up over its time. */
export type Figures = Record<string, number>;

/** Baseline: recorded before a deployment (or inside the fence), for comparison afterwards. */
export interface Baseline {
  /** When it was captured, ISO 8601. */
  at: string;
  /** The release that ran. */
  release: string;
  /** Rows per table. */
  counts: Record<string, number>;
  /** Median latency of the read probe, milliseconds; null: no answer. */
  latencyMs: number | null;
  /** Feature flags, by name. */
  flags: Record<string, boolean>;
  /** Policies, triggers, constraints, materialised views, … by PostgreSQL database of the definition. */
  objects?: Record<string, SchemaObjects>;
  /** Each database's migration ledger; unreadable ones are left out. */
  migrations?: Record<string, RecordedMigrations>;
}

/** Content of a migration ledger. */
export interface RecordedMigrations {
  /** Applied migrations, oldest first. */
  applied: string[];
  /** Started and never finished: partly applied. */
  unfinished: string[];
  /** Applied, and not in the definition. */
  unknown: string[];
  /** The newest applied migration by the order of the ledger. Absent: none is, or it was recorded before backout kept it. */
  head?: string;
}

/**
 * Administrative sessions in the live databases, by name of the definition. Opened when first asked for, ended by the creator of the context.
 */
export interface DataAccess {
  /** @throws where the database is not a PostgreSQL one. */
  database: (name: string) => Promise<Client>;
  /** @throws where the database is not a SQLite one. */
  sqlite: (name: string) => DatabaseSync;
}

/** A script whose rows are violations. */
export interface ViolationQuery {
  /** Name of the database in the definition. */
  database: string;
  /** Its engine. */
  engine: "postgres" | "sqlite";
  /** The SQL. */
  script: string;
  /** It may write; what it wrote is rolled back. Otherwise its session refuses to. */
  writes: boolean;
  /** How long it may take. Milliseconds. */
  timeoutMs: number;
  /** Rows that are read at most. */
  limit: number;
}

/** Input of a check. A check must remove everything that it writes. */
export interface CheckContext extends DataAccess {
  /** Base URL of a public listener, through the gate (the verifier's pass is added by `fetch`). */
  url(service: string): string;
  /** HTTP through the traffic gate with the verifier's pass; times out. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** Headers with which other requests than `fetch` (a WebSocket) pass the gate; absent: no gate. */
  passHeaders?: Record<string, string>;
  /** Rows of an SQL file, in a session of its own. Absent: there are none here. @throws if the script fails or takes too long */
  violations?(query: ViolationQuery): Promise<Record<string, unknown>[]>;
  /** How a program reaches a database: a connection string whose sessions only read unless it writes, or the path of a SQLite file. */
  connection?(database: string, options: { writes: boolean }): Promise<string>;
  /** The declared release. Absent: unknown. */
  release?: string;
  /** Release each service is declared to run. */
  releases: Record<string, string>;
  /** Whether each service is declared to run. */
  running: Record<string, boolean>;
  /** A secret of the definition, by name. @throws where it is not set */
  secret(name: string): string;
  /** Declared configuration of a service. */
  configuration?(service: string): Record<string, string>;
  /** Objects recorded when the data last stood at the release that is declared now, before a deployment left it; null where nothing was. */
  recorded?: Record<string, SchemaObjects> | null;
  /**
   * Baseline to compare with: the snapshot's where data was restored, else the one captured inside the fence; null on a first deployment.
   */
  baseline: Baseline | null;
  /** True if the rollout under verification restored the data from a snapshot. */
  dataRestored: boolean;
  /** True if users could write between the baseline and now (`backout verify` on an open system). */
  open: boolean;
  /** How row counts are compared with the baseline: depends on who could have written since. */
  counting: Counting;
  /**
   * Of the last `lines` lines of a service's error log those written since it, and the server of its database, were last started; of one
   * that the rollout under verification left running, those written since this attempt began.
   */
  errorLog(service: string, lines: number): Promise<string[]>;
  /** Declared feature flags and maintenance. */
  flags: Record<string, boolean>;
  /** Declared state of each constraint. */
  constraints?: Record<string, ConstraintState>;
  /** Declared maintenance. */
  maintenance: { mode: "off" | "read-only" | "full"; message: string };
  /** Scope under verification; null: none, the pins were set by hand. Absent: unknown. */
  scope?: string | null;
  /** Schema policy in force: a `mark` or `keep` rollback leaves newer tables behind. */
  schema: "keep" | "mark" | "down";
  /** What really runs of a service; null: unknown. */
  observe(service: string): Promise<{ running: boolean; release: string | null; pid: number | null }>;
  /** Saved originals of each protection, current or last; absent or null: never applied. */
  protections?: Record<string, HeldProtection | null>;
  /** Ids of the actions done since the rollback; absent: none. */
  actionsDone?: readonly string[];
}

/** A check: a function that looks at the running system and says whether users may be let in. */
export interface CheckDefinition {
  /** Stable id, e.g. `health`. */
  id: string;
  /** In the manual's words and number where it has one. */
  title: string;
  /** It writes (and removes what it wrote), so it is no part of a watch, which must only read. */
  writes?: true;
  /** It only reads, by HTTP requests or sessions of its own: it runs in parallel with adjacent checks of this kind. */
  asks?: true;
  /** Checks run in this order; a check that writes comes after those that count. */
  run(context: CheckContext): Promise<{ status: CheckStatus; detail: string; figures?: Figures }>;
}
