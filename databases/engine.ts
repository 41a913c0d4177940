/**
 * The seam between a rollout and a database engine. The steps of a rollout decide what is done and journal it; an engine knows how. Four interfaces,
 * by use: inspecting, the fence, copies, and the data itself. `registry.ts` chooses the engine and loads of it only what is asked for.
 */
import type { CatalogueDatabase, StateStore, Snapshot } from "../config/record.ts";
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { FoundDatabase } from "./shared/adoption.ts";
import type { NotCompared } from "./shared/not-compared.ts";
import type { NotHeld } from "./shared/reapply/result.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { ActionDefinition } from "../config/system/definition.ts";
import type { ConstraintState } from "../config/system/constraint.ts";
import type { SchemaObjects } from "../config/system/schema-objects.ts";
import type { ConstraintSession } from "./shared/constraints.ts";
import type { SqlSession } from "../config/system/sql-session.ts";
import type { CutOver, ExportFile, Migrated } from "../config/journal.ts";
import type { DataAction, DatabaseFacts, DatabasePlan, Lineage } from "../config/plan.ts";
import type { Log, Run } from "../config/run.ts";

/** What looking needs; `state` is null where no state has been made yet. */
export interface InspectContext {
  site: Site;
  definition: SystemDefinition;
  state: StateStore | null;
}

/** What working on copies needs. */
export interface CopyContext {
  site: Site;
  definition: SystemDefinition;
  state: StateStore;
  log: Log;
}

/** A session in a live database; the caller that opened it ends it. */
export interface LiveSession {
  session: SqlSession;
  end: () => Promise<void>;
}

export interface RowChanges {
  inserted: number;
  updated: number;
  deleted: number;
}
export type RowsAtRisk = Record<string, RowChanges>;

export interface AtRisk {
  /** Every table, those of the definition first. */
  rows: RowsAtRisk;
  /** `estimated`: from the server's counters. */
  how: "counted" | "estimated";
  /** Tables that only counting can tell of, each with the reason. */
  unknown: Record<string, string>;
  /** What is in no count and in no export. */
  notCompared: NotCompared[];
  /** What else a restore brings back or leaves, in words. */
  notes: string[];
}

/** Rows of an export that the live database holds again. */
export interface PutBack {
  /** By table; `unchanged`: differences the live data already had; `notHeld`: in columns alone that the live table lacks. */
  tables: Record<string, RowChanges & { unchanged: number; notHeld: number; conflicts: number }>;
  /** JSON Lines, one per row that was left out; null: none. */
  conflictFile: string | null;
  notHeld: NotHeld;
}

/** What a snapshot is made from: taken inside the fence. */
export interface TakenCopy {
  sizeBytes: number | null;
  statistics: unknown;
  /** Null: hashed on the pristine copy, after users are in again. */
  manifest: unknown;
}

/** Looks and changes nothing. Loaded with the engine: every preview needs it. */
export interface Inspection {
  facts(at: InspectContext, database: string): Promise<DatabaseFacts>;
  lineage(at: InspectContext, database: string): Promise<Lineage>;
  /** @throws naming what would make the fence or the cut-over fail later, and what to do about it */
  refuseUnfenceable(at: InspectContext, databases: readonly string[]): Promise<void>;
  /** @throws naming what the restore of a copy needs and does not find, and what to do about it */
  refuseRestore(at: InspectContext, database: string, copy: { snapshot: Snapshot } | { quarantine: string }): Promise<void>;
  /** Why a verified copy of a snapshot is no standby copy any more: the live database differs from the one it was tried on. Null: it still is. */
  noStandbyBecause(at: InspectContext & { state: StateStore }, snapshot: Snapshot): Promise<string | null>;
  /** Checks that these live databases can be copied and these snapshots restored. @throws where tools or disk space are missing */
  requireRoom(at: InspectContext, copies: readonly string[], withoutStandby: readonly Snapshot[]): Promise<void>;
  /** Bytes of a live database; 0 where it does not exist. */
  liveBytes(at: InspectContext, database: string): Promise<number>;
  /** Bytes of every copy beside the live databases, by its name or location in the catalogue. */
  copyBytes(at: InspectContext): Promise<Map<string, number>>;
  /** Rows written since the snapshot while the live database is open: counted, or estimated where counting would take long. */
  rowsAtRisk(at: InspectContext & { state: StateStore }, database: string, snapshot: Snapshot, exact: boolean): Promise<AtRisk>;
  /** Why a live database, or a role that the rollout admits to it, does not belong to this stack. @param applied migrations in its ledger */
  foreign(at: InspectContext, database: string, plan: DatabasePlan, applied: readonly string[]): Promise<string[]>;
  /** What a cut-over leaves with the database that was live, in words. */
  leftBehind(at: InspectContext, database: string, action: DataAction, snapshot: Snapshot | null): Promise<string[]>;
  /**
   * A session in the live database; the caller ends it.
   * @param fenced whether the fence is closed; `as it is`: the engine finds out
   */
  openLive(at: InspectContext, database: string, fenced: boolean | "as it is"): Promise<LiveSession>;
  /** A session for reading while the live database is open; null where it does not exist. The caller ends it. */
  openToRead(at: InspectContext, database: string): Promise<LiveSession | null>;
  /** Objects of the live database's schema, by name and definition; null where the engine records none. */
  objects(at: InspectContext, database: string): Promise<SchemaObjects | null>;
}

/** Closes the live databases, admits to them in stages, and gives them back. */
export interface Fence {
  /** Sets the password of the services' role to the one in the stack's secrets, and creates the role where it is missing. */
  ensureServices(at: InspectContext & { state: StateStore }): Promise<void>;
  /** Records what a copy of the database does not carry: owner, grants, settings; mode of a file. `everythingOpen`: no fence is closed now. */
  keepProperties(run: Run, database: string, everythingOpen: boolean): Promise<void>;
  /** From here on only backout reaches the live database. @returns the sessions found and ended, for the journal */
  close(run: Run, database: string): Promise<unknown>;
  /** Admits the services' own role, or everybody. */
  admit(run: Run, database: string, whom: "services" | "everybody"): Promise<void>;
  /** When the stack is destroyed: opens the live database with the owner and grants it had before. */
  giveBack(at: InspectContext & { state: StateStore }, database: string): Promise<void>;
}

/** Snapshots, standby copies and quarantines. */
export interface Copies {
  /** Name of the driver that takes snapshots now. */
  driver(at: InspectContext): string;
  /** Location of a snapshot: name of a database, folder or file. */
  snapshotLocation(at: InspectContext, database: string, name: string, generation: number): string;
  /** Copies the live database, inside the fence. @param again an earlier attempt was interrupted: its copy is not to be trusted */
  takeSnapshot(run: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy>;
  removeSnapshot(run: CopyContext, snapshot: Snapshot): Promise<void>;
  /** How a snapshot differs from its record, one sentence each; empty where it does not. Reads all of it. */
  snapshotProblems(keeping: CopyContext, snapshot: Snapshot): Promise<string[]>;
  /** Restores a copy of the snapshot beside the live database and verifies it. */
  makeStandby(keeping: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase>;
  /** Reads a snapshot. */
  inSnapshot<T>(keeping: CopyContext, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T>;
  /** Reads a quarantine. */
  inCopy<T>(keeping: CopyContext, copy: CatalogueDatabase, work: (session: SqlSession) => Promise<T>): Promise<T>;
  /** File of a copy where the engine keeps databases in files; null where it does not. */
  fileOfCopy(keeping: CopyContext, copy: CatalogueDatabase): string | null;
  /** Copies the live database into a file, damaged or not. @returns what its integrity check says. @throws where the engine keeps no files */
  backUp(run: Run, database: string, file: string): Promise<string>;
  /** Drops a quarantine or a standby copy. */
  dropCopy(run: CopyContext, copy: CatalogueDatabase): Promise<void>;
}

/** Changes the data, and exports what a change took away. All of it inside the fence. */
export interface Data {
  make(run: Run, database: string): Promise<void>;
  /** Removes a live file when its stack is destroyed. A database of a server goes with the server, or stays where that is somebody else's. */
  remove(site: Site, database: string): Promise<void>;
  /** Null where the live database satisfies the action already. After a kill either nothing or all of it has happened, or the next run finishes it. */
  cutOver(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<CutOver | null>;
  migrate(run: Run, database: string, pins: Pins, plan: DatabasePlan): Promise<Migrated>;
  /** Reapplies the rows of an export to the live database, in one transaction. A second call finds them there and changes nothing. */
  putBack(run: Run, database: string, folder: string, runId: string): Promise<PutBack>;
  /** Rows written since the snapshot, counted one by one. */
  rowsSince(run: Run, database: string, snapshot: Snapshot): Promise<AtRisk>;
  /** Exports the rows that a repair deleted or changed: the live data against the snapshot taken before it. */
  exportReplaced(run: Run, safety: Snapshot, folder: string, runId: string): Promise<ExportFile[]>;
  /** Exports the rows that differ between a quarantine and the snapshot it is measured against. */
  exportSince(run: Run, quarantine: CatalogueDatabase, snapshot: Snapshot, folder: string, runId: string): Promise<ExportFile[]>;
}

/** Constraints of a live database, as declared state. */
export interface Constraints {
  /** What the catalogue says of each constraint of the definition, by name. @throws UnreachableError where the database is closed */
  states(at: Pick<InspectContext, "site" | "definition">, database: string): Promise<Record<string, ConstraintState>>;
  /** From inside the fence where it is closed. */
  open(run: Run, database: string): Promise<ConstraintSession>;
  /** While the database is open. @throws UnreachableError */
  openToRead(at: Pick<InspectContext, "site" | "definition">, database: string): Promise<ConstraintSession>;
  /** Null where the snapshot cannot be read without restoring it. */
  openSnapshot(run: Run, snapshot: Snapshot): Promise<ConstraintSession | null>;
}

/** Takes over a live database that somebody else made, while its users are in it: no session is ended and nobody is refused. */
export interface Adoption {
  /** What is in it, who uses it, and what backout cannot do there. Touches nothing. @throws where it does not exist */
  look(at: InspectContext, database: string): Promise<FoundDatabase>;
  /** Why no snapshot of it can be taken while it is open; null: one can. */
  noSnapshotBecause(at: InspectContext, database: string): Promise<string | null>;
  /** Name of the driver of that snapshot, and where it lies. */
  snapshotDriver(at: InspectContext): string;
  snapshotLocation(at: InspectContext, database: string, name: string, generation: number): string;
  /** Copies the live database as it is at one moment, while others read and write. @param again an earlier attempt was interrupted */
  takeSnapshot(run: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy>;
  /** Enters migrations in its ledger as applied, runs none. @returns those that were not in it */
  enterMigrations(run: Run, database: string, names: readonly string[]): Promise<string[]>;
  /** Removes what `enterMigrations` entered, where nothing else came after it. */
  removeMigrations(run: Run, database: string, names: readonly string[]): Promise<void>;
  /** From here on the catalogue knows it as a live database of this stack. */
  enter(run: Run, database: string): Promise<void>;
  /** Removes the state; its session is ended. */
  removeState(run: Run): Promise<void>;
}

/** Work that a system declares for after a rollback. */
export interface Actions {
  /** Keeps the action's tables as files, does its work and unmarks its migration, in one transaction. */
  carryOut(run: Run, action: ActionDefinition): Promise<ActionDone>;
}

export interface ActionDone {
  unchanged: boolean;
  /** What was done, in words. */
  detail: string;
  kept: KeptTable[];
}

/** A table as a file. */
export interface KeptTable {
  table: string;
  path: string;
  sha256: string;
  rows: number;
  /** Columns with types, and constraints, indexes and triggers as statements: what the rows need to live in again. */
  columns: { name: string; type: string }[];
  definitions: string[];
}

export interface DatabaseEngine {
  /** The data is replaced where it stands: no standby copy can take its place, and users wait for as long as a restore takes. */
  readonly inPlace: boolean;
  readonly inspect: Inspection;
  /** Loaded when it is first asked for, as is the rest: an update without changes needs none of it. */
  readonly fence: () => Promise<Fence>;
  readonly copies: () => Promise<Copies>;
  readonly data: () => Promise<Data>;
  readonly adoption: () => Promise<Adoption>;
  /** Absent where the engine cannot change constraints of an existing table. */
  readonly constraints?: () => Promise<Constraints>;
  /** Absent where the engine has none. */
  readonly actions?: () => Promise<Actions>;
}
