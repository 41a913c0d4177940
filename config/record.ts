/**
 * The state: facts about a stack's live databases, kept beside them. Rollouts with epochs, journal, catalogue of snapshots, quarantines and
 * standby copies, and lineage. A database beside live PostgreSQL ones (store.ts), a file beside SQLite ones (file.ts).
 */
import { RefusedError } from "./errors.ts";
import type { EntryOf, ExportFile, Noted, StepKind } from "./journal.ts";
import type { RolloutPlan, Lineage } from "./plan.ts";
import type { Pins } from "./pins.ts";
import type { Baseline } from "./system/check.ts";

/** Progress of a rollout. `open` is the only state in which users are in and nothing is left to do. */
export type RolloutState = "closing" | "closed" | "verified" | "open" | "refused";

export interface Rollout {
  epoch: number;
  /** Hash of the pins. */
  rollout: string;
  pins: Pins;
  plan: RolloutPlan;
  state: RolloutState;
  runId: string;
  startedAt: string;
  openedAt: string | null;
  recordedAt: string | null;
  failure: string | null;
  /** Captured inside the fence. */
  baseline: Baseline | null;
  /** Why: incident and reason as given on the command line. */
  reason: string | null;
}

/** A rollout that opened. */
export type Opening = Pick<Rollout, "epoch" | "pins">;

export type DatabaseRole = "live" | "quarantine" | "standby" | "pristine";

export interface CatalogueDatabase {
  /** Identity that a rename keeps: the OID of a database, or the inode of a file. */
  oid: number;
  name: string;
  /** Database of the definition. */
  database: string;
  role: DatabaseRole;
  lineage: Lineage;
  /** Snapshot a pristine or standby copy belongs to. */
  snapshotId: number | null;
  /** Epoch that created it (quarantines: that set it aside). */
  epoch: number;
  /** Time since which it has its role (quarantines: when it was set aside). */
  createdAt: string;
  /** For standby copies: statistics right after its content was verified; null while it is being made. */
  verified: Record<string, unknown> | null;
}

export interface Snapshot {
  id: number;
  database: string;
  name: string;
  generation: number;
  driver: string;
  /** Pristine database, folder of the dump, or pristine file. */
  location: string;
  takenAt: string;
  epoch: number;
  /** Release that ran on this data. */
  release: string | null;
  automatic: boolean;
  /** `making` and `removing`: the process may have been killed, so parts of it may exist. */
  state: "making" | "ready" | "removing" | "removed";
  manifest: Record<string, unknown> | null;
  /** Cumulative statistics of the live database when it was taken, to estimate rows changed since. */
  statistics: Record<string, unknown> | null;
  baseline: Baseline | null;
  sizeBytes: number | null;
}

export interface NewSnapshot {
  database: string;
  name: string;
  driver: string;
  epoch: number;
  release: string | null;
  automatic: boolean;
}

export interface SnapshotFacts {
  manifest: unknown;
  statistics: unknown;
  baseline: Baseline | null;
  sizeBytes: number | null;
}

/** Another run is changing this system. */
export class LockedError extends RefusedError {
  readonly holder: unknown;
  constructor(holder: unknown) {
    super(`another run holds the lock on this system: ${JSON.stringify(holder)}; wait for it to end, then run the same command again`);
    this.name = "LockedError";
    this.holder = holder;
  }
}

/** The state was made by an older backout, whose journal does not say of which kind a step is: nothing could resume from it. */
export class OldStateError extends RefusedError {
  readonly place: string;
  constructor(place: string) {
    super(
      `the state in ${place} was made by an older version of backout. Nothing was changed. Destroy the stack with that version, then deploy again`,
    );
    this.name = "OldStateError";
    this.place = place;
  }
}

/** The state cannot be read: what is true of the data is not known. */
export class DamagedStateError extends Error {
  readonly place: string;
  /** @param problem what the reader says. */
  constructor(place: string, problem: string) {
    super(`the state in ${place} is damaged: ${problem}. Put a copy of it back from a backup, then run the same command again`);
    this.name = "DamagedStateError";
    this.place = place;
  }
}

export interface StateStore {
  end(): Promise<void>;
  /** Called once if the connection to the state is lost, e.g. because its server died. */
  onLost(listener: () => void): void;
  /** Locks the system for this run until the session ends, or its process dies. @throws LockedError naming the holder after `waitMs`. */
  lock(who: Record<string, unknown>, waitMs: number): Promise<void>;
  /** One process at a time makes copies; others wait. */
  whileMakingStandby<T>(work: () => Promise<T>): Promise<T>;

  lastRollout(): Promise<Rollout | null>;
  lastOpenRollout(): Promise<Rollout | null>;
  rollout(epoch: number): Promise<Rollout | null>;
  /** Newest first. */
  rollouts(limit: number): Promise<Rollout[]>;
  /** Those that opened, oldest first. */
  openings(): Promise<Opening[]>;
  /** Records the start of a rollout, before anything is stopped. The same epoch again: resumes it. */
  beginRollout(rollout: Pick<Rollout, "epoch" | "rollout" | "pins" | "plan" | "runId" | "reason">): Promise<void>;
  setState(epoch: number, state: RolloutState): Promise<void>;
  setFailure(epoch: number, failure: string): Promise<void>;
  /** The first one stays. */
  setBaseline(epoch: number, baseline: Baseline): Promise<void>;
  setCounts(epoch: number, counts: Record<string, number>): Promise<void>;
  setRecorded(epoch: number): Promise<void>;
  note<K extends StepKind>(entry: EntryOf<K>): Promise<void>;
  /** In the order of what happened. */
  journal(epoch: number): Promise<Noted[]>;
  /** Seconds that runs worked until rollouts like this one opened, newest first, without pauses between interrupted runs. */
  earlierSeconds(plan: Pick<RolloutPlan, "scope" | "forward" | "fenceData">): Promise<number[]>;
  /** Start of the last rollout to a newer release, ISO 8601; null where there was none. */
  lastForwardAt(): Promise<string | null>;

  /** Snapshots that can be restored, oldest first. */
  readySnapshots(): Promise<Snapshot[]>;
  snapshotOfEpoch(database: string, name: string, epoch: number): Promise<Snapshot | null>;
  /** Enters a new generation of a snapshot, in state `making`: a name used before gets the next number. */
  beginSnapshot(snapshot: NewSnapshot, location: (generation: number) => string): Promise<Snapshot>;
  finishSnapshot(id: number, facts: SnapshotFacts): Promise<void>;
  setManifest(id: number, manifest: unknown): Promise<void>;
  setSnapshotState(id: number, state: "removing" | "removed"): Promise<void>;
  /** Incomplete snapshots that nothing can be restored from: half removed, or half made by an earlier rollout. */
  remainders(epoch: number): Promise<Snapshot[]>;
  /** Catalogued databases that exist, with their current names. */
  catalogued(): Promise<CatalogueDatabase[]>;
  forgetDatabase(oid: number): Promise<void>;
  addExport(epoch: number, database: string, exported: ExportFile): Promise<void>;
  exports(epoch: number): Promise<ExportFile[]>;

  /** Stores a value under a key unless one is stored already. Resolves with the stored one. */
  keepFirst<T>(key: string, value: T): Promise<T>;
  /** Stores a value under a key, replacing any other. */
  keep(key: string, value: unknown): Promise<void>;
  /** Null: nothing is stored under the key. */
  kept<T>(key: string): Promise<T | null>;
  /** Every value whose key is the beginning and a number, by that number. */
  keptNumbered<T>(beginning: string): Promise<Map<number, T>>;
  forget(key: string): Promise<void>;
}
