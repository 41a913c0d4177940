/** What backout asks of a way to keep and bring back a whole database. */
import type { Moment } from "../one-moment.ts";

/** In place is an engine of its own: databases/in-place/. */
export type DriverName = "template" | "dump";

/** A snapshot as it is recorded: plain data. */
export interface Snapshot {
  driver: DriverName;
  /** Name of the pristine database, or absolute path of the dump's folder. */
  location: string;
}

export interface Restored {
  database: string;
  /** What is not as it was, in words: "materialized view x was refreshed". */
  notes: string[];
}

export interface SnapshotDriver {
  /** Whether everything this driver needs is there. @throws an error that names what is missing and what to install */
  check(): Promise<void>;
  /**
   * Keeps the database as it is. Under a temporary name until complete; what an interrupted attempt left behind is removed first.
   * @param location name of the pristine database to make, or folder to write
   * @param moment what is kept of a database that others write to: only a dump can say it
   */
  take(source: string, location: string, moment?: Moment): Promise<Snapshot>;
  /** Makes a new database from the snapshot, which stays as it is. Complete or absent; it accepts no connections until it is admitted. */
  restoreTo(snapshot: Snapshot, database: string): Promise<Restored>;
  remove(snapshot: Snapshot): Promise<"already" | "removed">;
  /** What the snapshot occupies. */
  sizeBytes(snapshot: Snapshot): Promise<number>;
  /** What taking (from a database) or restoring (from a snapshot) will occupy, without margin. */
  spaceNeededBytes(of: { database: string } | { snapshot: Snapshot }): Promise<number>;
}

/** The name or folder is taken. */
export class SnapshotExistsError extends Error {
  readonly location: string;
  constructor(location: string) {
    super(`${location} already exists: nothing was overwritten. Choose another name, or remove it`);
    this.name = "SnapshotExistsError";
    this.location = location;
  }
}

/** There is nothing at the snapshot's place, or something that is not a snapshot of ours. */
export class NotASnapshotError extends Error {
  readonly location: string;
  constructor(location: string, reason: string) {
    super(`${location} is not a snapshot backout can use: ${reason}`);
    this.name = "NotASnapshotError";
    this.location = location;
  }
}

/** Somebody is in the database that is to be copied. */
export class SourceBusyError extends Error {
  readonly database: string;
  constructor(database: string, cause: unknown) {
    super(`database "${database}" cannot be copied while others are in it: fence it first`, { cause });
    this.name = "SourceBusyError";
    this.database = database;
  }
}
