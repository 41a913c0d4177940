/** Decides what a change of pins takes: what stops and in which order, what happens to the data, who is kept out. Pure. */
import { RefusedError } from "./errors.ts";
import type { Pins, ScopePin } from "./pins.ts";
import type { ConstraintState, ConstraintRisk } from "./system/constraint.ts";
import type { SystemDefinition } from "./system/definition.ts";

/** What is true of one database now. */
export interface DatabaseFacts {
  exists: boolean;
  /** Pin the live database satisfies: the snapshot it descends from, or the quarantine it was. */
  lineage: Lineage;
  /** Migrations the ledger says are applied. */
  applied: string[];
  /** Started and not finished. */
  failed: string[];
  /** Those of `failed` of which something may be there: they cannot simply be applied again. Absent: none. */
  unfinished?: string[];
  /** Applied, and not in the definition. Absent: none. */
  unknown?: string[];
  /** The database refuses connections, so that nothing is known of its migrations. */
  unread?: true;
  /** What the catalogue says of each constraint of the definition; absent where nobody could look. */
  constraints?: Record<string, ConstraintState>;
}

/** Where a database's data comes from. */
export interface Lineage {
  /** Snapshot it descends from, with how many times that one had been restored before. */
  snapshot: { name: string; generation: number; again: number } | null;
  /** Name under which it stood in quarantine, when an undo brought it back. */
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
  /** Migrations to apply after the action, oldest first (`create` and `none`; a restore plans them again on what it restored). */
  up: string[];
  /** Migrations to take back, newest first, and how. */
  back: string[];
  backBy: "keep" | "mark" | "down";
  /** Snapshot that is pinned and that the data descends from already, so that nothing is restored; absent where the pin is no new one. */
  descends?: { name: string; generation: number; again: number };
}

export interface ServiceChange {
  service: string;
  from: string | null;
  to: string;
  what: string;
}

export interface RolloutPlan {
  /** The declared scope; null where none is, or the pins contradict it. */
  scope: string | null;
  /** The one service the scope is for; absent: it is for none in particular. */
  service?: string;
  /** How the pins contradict the declared scope, in words; absent: they do not. */
  misfit?: string;
  /** The release goes to one that stands after the one that is left in the ledger. */
  forward: boolean;
  /** Release that opened last, and is left; null on the first deployment. */
  fromRelease: string | null;
  /** Release of a rollout that was begun since and never opened; absent: there is none, or it is the one that opened last. */
  begun?: string;
  toRelease: string;
  changes: ServiceChange[];
  /** Services to stop, in order. Each is confirmed stopped before the next step. */
  stop: string[];
  /** Services that must not run afterwards. */
  off: string[];
  /** Users get 503 from the fence until verification has passed. */
  closeGate: boolean;
  /** No one but backout reaches the databases from the fence until the data step is done. */
  fenceData: boolean;
  databases: Record<string, DatabasePlan>;
  /** Snapshots to take inside the fence: automatic or declared. */
  take: { name: string; automatic: boolean }[];
  flagsChanged: string[];
  /** Constraints that change, in the order in which they do; absent where the system has none. */
  constraints?: ConstraintChange[];
  maintenanceChanged: boolean;
  /** Services that will run on a schema that is too new for them, in words; absent: none. */
  schemaAhead?: string[];
  /** Made while the databases were out of reach, from what the pins alone say: to be shown, never to be carried out. */
  assumed?: true;
}

/** What is declared besides the pins. It moves nothing by itself, so that it is no part of a rollout's identity. */
export interface Asked {
  /** The ledger's order, oldest first; null where it cannot be known: the record of what opened decides then. */
  order: readonly string[] | null;
  /** Which scope the pins are those of; null: none is declared. */
  scope: ScopePin | null;
}

export interface PlanInput {
  definition: SystemDefinition;
  /** Pins of the last rollout that opened; null on the first deployment. */
  from: Pins | null;
  to: Pins;
  /** The last rollout has not opened: nothing is known to be as its pins say. */
  unfinished: boolean;
  /** Release of the last rollout where that has not opened. */
  begun?: string | undefined;
  /** Every release that is known, oldest first. */
  order: readonly string[];
  scope: ScopePin | null;
  databases: Record<string, DatabaseFacts>;
  /** Snapshots that exist, to see which declared ones are missing and to resolve a name to its generation. */
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
        : `backout:data "${pin}": no such snapshot of ${database}; ${available.length > 0 ? `there are ${available.join(", ")}` : "there are none"}`,
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
  /** Pinned text that it comes back with; absent: as it was. */
  definition?: string;
}
