/**
 * The seam between a rollout and a database engine: everything a rollout does with a live database. The steps decide what is done and journal it;
 * an engine knows how. Which one is chosen by `definition.databases[name].engine`, and only that one is loaded.
 */
import type { CatalogueDatabase, StateStore, Snapshot } from "../config/record.ts";
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { NotCompared } from "./postgres/comparison-beyond.ts";
import type { NotHeld } from "./postgres/reapply-result.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { SqlSession } from "../config/system/sql-session.ts";
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

/** A session in a live database; whoever opened it ends it. */
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
  /** Tables of which nobody can tell without counting, each with the reason. */
  unknown: Record<string, string>;
  /** What is in no count and in no export. */
  notCompared: NotCompared[];
  /** What else a restore brings back or leaves, in words. */
  notes: string[];
}

export interface CutOver {
  /** From the closed fence until the database under the live name is reachable: making the copy is part of it where none has its standby copy. */
  cutOverMs: number;
  /** Name under which what was live is kept. */
  quarantine: string;
  /** What others rely on and went with it, in words; absent: nothing. */
  wentAlong?: string[];
}

export interface Migrated {
  up: string[];
  back: string[];
}

export interface ExportFile {
  path: string;
  sha256: string;
  rows: number;
}

/** Rows of an export that the live database holds again. */
export interface PutBack {
  /** By table; `alreadySo`: differences the live data already had; `notHeld`: in columns alone that the live table lacks. */
  tables: Record<string, RowChanges & { alreadySo: number; notHeld: number; conflicts: number }>;
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

export interface DatabaseEngine {
  readonly name: "postgres" | "sqlite";

  /** Loads what it changes data with: whoever is about to will need it soon. */
  load(at: Pick<InspectContext, "site">): Promise<unknown>;

  // Looking: touches nothing.
  facts(at: InspectContext, database: string): Promise<DatabaseFacts>;
  lineage(at: InspectContext, database: string): Promise<Lineage>;
  /** What would make the fence or the cut-over fail later on. @throws with what it is and what to do */
  refuseUnfenceable(at: InspectContext, databases: readonly string[]): Promise<void>;
  /** What a copy needs to be brought back, and is not there. @throws with what it is and what to do */
  refuseRestore(at: InspectContext, database: string, copy: { snapshot: Snapshot } | { quarantine: string }): Promise<void>;
  /** Why a snapshot whose copy was verified has no standby copy all the same: what it would replace is not what it was tried on. Null: it is. */
  noStandbyBecause(at: InspectContext & { state: StateStore }, snapshot: Snapshot): Promise<string | null>;
  /** Whether copies of these live databases can be taken and these snapshots be restored. @throws where tools or space are missing */
  requireRoom(at: InspectContext, copies: readonly string[], withoutStandby: readonly Snapshot[]): Promise<void>;
  /** Bytes of a live database; 0 where it is not there. */
  liveBytes(at: InspectContext, database: string): Promise<number>;
  /** Bytes of every copy that lies beside the live databases, by the name or location the catalogue has for it. */
  copyBytes(at: InspectContext): Promise<Map<string, number>>;
  /** Rows written since the snapshot while the live database is open: counted, or estimated where counting would take long. */
  rowsAtRisk(at: InspectContext & { state: StateStore }, database: string, snapshot: Snapshot, exact: boolean): Promise<AtRisk>;

  /** Makes the services' own role what the stack's secrets say. */
  ensureServices(at: InspectContext & { state: StateStore }): Promise<void>;

  /** Why a live database, or a role that is to be let into it, is not this stack's to work with. @param applied what its ledger says */
  foreign(at: InspectContext, database: string, plan: DatabasePlan, applied: readonly string[]): Promise<string[]>;
  /** What a cut-over leaves with the database that was live, in words. */
  leftBehind(at: InspectContext, database: string, action: DataAction, snapshot: Snapshot | null): Promise<string[]>;
  /** Where the stack ends: the live database as its users have it. */
  giveBack(at: InspectContext & { state: StateStore }, database: string): Promise<void>;

  // The fence, and its stages.
  /** Keeps what a copy of the database does not carry: owner, grants, settings; mode of a file. `everythingOpen`: nothing is closed now. */
  keepProperties(run: Run, database: string, everythingOpen: boolean): Promise<void>;
  /** From here on no one but backout reaches the live database. @returns what was found and ended, for the journal */
  close(run: Run, database: string): Promise<unknown>;
  /** Lets the services' own role in, or everybody. */
  admit(run: Run, database: string, whom: "services" | "everybody"): Promise<void>;
  /** A session in the live database; `fenced`: the only one there is. `as it is`: from inside the fence exactly where it stands. */
  openLive(at: InspectContext, database: string, fenced: boolean | "as it is"): Promise<LiveSession>;
  /** Rows written since the snapshot, counted one by one inside the fence. */
  rowsSince(run: Run, database: string, snapshot: Snapshot): Promise<AtRisk>;

  // Snapshots and standby copies.
  /** Name of the driver a snapshot taken now is made by. */
  driver(at: InspectContext): string;
  /** Where a snapshot lies. */
  snapshotLocation(at: InspectContext, database: string, name: string, generation: number): string;
  /** Keeps the live database as it is, inside the fence. @param again an attempt before was interrupted: its copy cannot be told from a good one */
  takeSnapshot(run: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy>;
  removeSnapshot(run: CopyContext, snapshot: Snapshot): Promise<void>;
  /** How what lies there differs from what was kept, one sentence each; empty where it does not. Reads all of it. */
  snapshotProblems(keeping: CopyContext, snapshot: Snapshot): Promise<string[]>;
  /** Restores a copy of the snapshot beside the live database and verifies it. */
  makeStandby(keeping: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase>;
  /** Reads what the snapshot held. */
  inSnapshot<T>(keeping: CopyContext, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T>;
  /** Reads what a quarantine holds. */
  inCopy<T>(keeping: CopyContext, copy: CatalogueDatabase, work: (session: SqlSession) => Promise<T>): Promise<T>;
  /** File of a copy where the engine keeps databases in files; null where it does not. */
  fileOfCopy(keeping: CopyContext, copy: CatalogueDatabase): string | null;
  /** Drops a quarantine or an standby copy. */
  dropCopy(run: CopyContext, copy: CatalogueDatabase): Promise<void>;

  // The data.
  make(run: Run, database: string): Promise<void>;
  /** Null where the live database satisfies the action already. After a kill either nothing or all of it has happened, or the next run finishes it. */
  cutOver(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<CutOver | null>;
  migrate(run: Run, database: string, pins: Pins, plan: DatabasePlan): Promise<Migrated>;
  /** Puts the rows of an export back into the live database, inside the fence, in one transaction. A second time they are there already. */
  putBack(run: Run, database: string, folder: string, runId: string): Promise<PutBack>;
  /** Rows that a repair in place took away or changed, as files: the live data against the snapshot taken before it. Inside the fence. */
  exportReplaced(run: Run, safety: Snapshot, folder: string, runId: string): Promise<ExportFile[]>;
  /** Rows that differ between a quarantine and the snapshot it is measured against, as files. */
  exportSince(run: Run, quarantine: CatalogueDatabase, snapshot: Snapshot, folder: string, runId: string): Promise<ExportFile[]>;
}

/** Whether the live data is what the action asks for. */
export function satisfies(lineage: Lineage, action: DataAction): boolean {
  if (action.kind === "undo") return lineage.quarantine === action.quarantine;
  if (action.kind !== "restore") return true;
  const { snapshot } = lineage;
  return (
    lineage.quarantine === null &&
    snapshot !== null &&
    snapshot.name === action.snapshot &&
    snapshot.generation === action.generation &&
    snapshot.again === action.again
  );
}

/** A quarantined database to undo to does not exist. */
export class QuarantineMissingError extends Error {
  readonly quarantine: string;
  readonly available: string[];
  constructor(quarantine: string, available: string[]) {
    super(
      `backout:data "quarantine:${quarantine}": no such quarantined database; ${available.length > 0 ? `there are ${available.join(", ")}` : "there are none"}`,
    );
    this.name = "QuarantineMissingError";
    this.quarantine = quarantine;
    this.available = available;
  }
}

/** @throws QuarantineMissingError */
export async function quarantineOf(state: StateStore, database: string, name: string): Promise<CatalogueDatabase> {
  const quarantines = (await state.catalogued()).filter((entry) => entry.role === "quarantine" && entry.database === database);
  const found = quarantines.find((entry) => entry.name === name);
  if (found === undefined)
    throw new QuarantineMissingError(
      name,
      quarantines.map((entry) => entry.name),
    );
  return found;
}

/** A copy does not hold what its snapshot held. */
export class CopyDiffersError extends Error {
  readonly copy: string;
  readonly differences: string[];
  constructor(copy: string, differences: string[]) {
    super(`the copy ${copy} differs from its snapshot: ${differences.slice(0, 5).join("; ")}; it was dropped and nothing was cut over`);
    this.name = "CopyDiffersError";
    this.copy = copy;
    this.differences = differences;
  }
}
