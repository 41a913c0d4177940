/** Decides what a change of pins requires: what stops and in which order, what happens to the data, whether users are kept out. Pure. */
import { RefusedError } from "./errors.ts";
import type { Pins, ScopePin } from "./pins.ts";
import type { ConstraintState, ConstraintRisk } from "./system/constraint.ts";
import type { SystemDefinition } from "./system/definition.ts";
import type { LedgerName } from "./system/ledgers.ts";

/** Facts about one database now. */
export interface DatabaseFacts {
  exists: boolean;
  /** Pin that the live database satisfies: the snapshot it descends from, or the quarantine it was. */
  lineage: Lineage;
  /** Applied migrations, by the migration ledger. */
  applied: string[];
  /** Started and not finished. */
  failed: string[];
  /** Those of `failed` that may be partly applied, so they cannot simply be repeated. Absent: none. */
  unfinished?: string[];
  /** Applied, and not in the definition. Absent: none. */
  unknown?: string[];
  /** Which ledger keeps its migrations. Absent: it was not read. */
  ledger?: LedgerName;
  /** The newest applied migration by the order of the ledger; null: none is. Absent: the ledger was not read. */
  head?: string | null;
  /** The database refuses connections: its migrations are unknown. */
  unread?: true;
  /** State of each constraint in the system catalog; absent: unknown. */
  constraints?: Record<string, ConstraintState>;
}

/** Where a database's data comes from. */
export interface Lineage {
  /** Snapshot it descends from, and how many times that had been restored before. */
  snapshot: { name: string; generation: number; again: number } | null;
  /** Its name in quarantine, if an undo restored it. */
  quarantine: string | null;
}

export const NO_LINEAGE: Lineage = { snapshot: null, quarantine: null };

export type DataAction =
  | { kind: "none" }
  | { kind: "create" }
  | { kind: "restore"; snapshot: string; generation: number; again: number }
  | { kind: "undo"; quarantine: string }
  | { kind: "repair"; repair: string; snapshot: { name: string; generation: number } | null; with: Record<string, string> };

export interface DatabasePlan {
  action: DataAction;
  /** Migrations to apply after the action, oldest first (`create` and `none`; a restore plans them again on the restored data). */
  up: string[];
  /** Migrations to revert, newest first, and how. */
  back: string[];
  backBy: "keep" | "mark" | "down";
  /** The newest migration that is applied now; null: none is. Absent: the ledger was not read. */
  head?: string | null;
  /** Newly pinned snapshot that the data already descends from, so nothing is restored; absent if the pin is not new. */
  descends?: { name: string; generation: number; again: number };
}

export interface ServiceChange {
  service: string;
  from: string | null;
  to: string;
  what: string;
}

export interface RolloutPlan {
  /** The record of what ran before backout knew the system; absent: a rollout of backout's own. */
  adopted?: true;
  /** The declared scope; null: none, or the pins contradict it. */
  scope: string | null;
  /** Service of a scope of one service; absent: another scope. */
  service?: string;
  /** How the pins contradict the declared scope; absent: they do not. */
  misfit?: string;
  /** The new release is later in the ledger than the current one. */
  forward: boolean;
  /** Release that opened last; null on the first deployment. */
  fromRelease: string | null;
  /** Release of a later rollout that never opened; absent: none, or the same release. */
  begun?: string;
  toRelease: string;
  changes: ServiceChange[];
  /** Services to stop, in order. Each is confirmed stopped before the next step. */
  stop: string[];
  /** Services that must not run afterwards. */
  off: string[];
  /** Users get 503 from the fence until verification has passed. */
  closeGate: boolean;
  /** Only backout can connect to the databases from the fence until the data step is done. */
  fenceData: boolean;
  databases: Record<string, DatabasePlan>;
  /** Snapshots to take inside the fence: automatic or declared. */
  take: { name: string; automatic: boolean }[];
  flagsChanged: string[];
  /** Constraints that change, in order; absent if the system has none. */
  constraints?: ConstraintChange[];
  maintenanceChanged: boolean;
  /** Services that will run on a schema that is too new for them, as sentences; absent: none. */
  schemaAhead?: string[];
  /** Made from the pins alone while the databases were unreachable: to be shown, never to be executed. */
  assumed?: true;
}

/** What is declared besides the pins. It changes nothing by itself, so it is no part of a rollout's identity. */
export interface Asked {
  /** The ledger's order, oldest first; null: unknown, so the state's list of opened releases decides. */
  order: readonly string[] | null;
  /** The scope that the pins belong to; null: none is declared. */
  scope: ScopePin | null;
}

export interface PlanInput {
  definition: SystemDefinition;
  /** Pins of the last rollout that opened; null on the first deployment. */
  from: Pins | null;
  to: Pins;
  /** The last rollout has not opened: nothing is certain to match its pins. */
  unfinished: boolean;
  /** Release of the last rollout, if that has not opened. */
  begun?: string | undefined;
  /** Every known release, oldest first. */
  order: readonly string[];
  scope: ScopePin | null;
  databases: Record<string, DatabaseFacts>;
  /** Existing snapshots, to find missing declared ones and to resolve a name to its generation. */
  snapshots: { database: string; name: string; generation: number }[];
}

/** A data pin names a snapshot that does not exist, or more than one. */
export class SnapshotPinError extends RefusedError {
  readonly database: string;
  readonly pin: string;
  readonly available: string[];
  constructor(database: string, pin: string, available: string[], ambiguous: boolean) {
    super(
      ambiguous
        ? `backout:data "${pin}" is ambiguous: ${available.join(", ")} exist; pin one of them`
        : `backout:data "${pin}": snapshot of ${database} not found; ${available.length > 0 ? `existing ones: ${available.join(", ")}` : "none exists"}`,
    );
    this.name = "SnapshotPinError";
    this.database = database;
    this.pin = pin;
    this.available = available;
  }
}

export interface ConstraintChange {
  name: string;
  database: string;
  table: string;
  risk: ConstraintRisk;
  from: ConstraintState;
  to: ConstraintState;
  /** Pinned new definition; absent: as it was. */
  definition?: string;
}
