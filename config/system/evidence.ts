/** What is kept of a run besides its journal, and what a system wants written about it into its own data. */
import type { Completion } from "./completion.ts";
import type { CheckResult } from "./check.ts";
import type { SqlSession } from "./sql-session.ts";

/** What is known of a run: while it goes on, and at its end. */
export interface RunFacts {
  runId: string;
  epoch: number;
  /** Name of the run in the system's own words; one for every file and row of it. */
  anchor: string;
  /** `YYYYMMDD_HHMMSS` of the run's begin (UTC), the same in every name. */
  stamp: string;
  system: string;
  stack: string;
  scope: string | null;
  forward: boolean;
  /** A release or data goes back; false for a deployment, and where only maintenance, flags or configuration change. */
  rollback: boolean;
  from: string | null;
  to: string;
  /** Incident and reason as given; null where none was. */
  reason: string | null;
  /** What only people know, as declared under `backout:incident`: commander, team, trigger, affected users. */
  incident: Record<string, string>;
  startedAt: string;
  /** Users were let in; null while they are not. */
  openedAt: string | null;
  success: boolean;
  /** Step that failed; null while none has. */
  failure: string | null;
  data: Record<string, DataFacts>;
  checks: CheckResult[];
  completion: Completion | null;
  steps: StepFacts[];
}

export interface DataFacts {
  action: "none" | "create" | "restore" | "undo" | "repair";
  /** Snapshot or quarantined database it went back to, repair that was made. */
  from: string | null;
  /** When what is there now came into being; null where the data stayed. */
  at: string | null;
  /** When the snapshot was taken. */
  snapshotTakenAt: string | null;
  quarantine: string | null;
  /** Rows set aside or changed by the repair. */
  rows: number;
}

export interface StepFacts {
  at: string;
  phase: string;
  step: string;
  status: string;
  durationMs: number | null;
}

/** `protect`: everything still runs. `fenced`: nobody writes any more, nothing is changed yet. `end`: after the record, also of a failed run. */
export type EvidenceMoment = "protect" | "fenced" | "end";

export interface EvidenceContext {
  facts: RunFacts;
  session(database: string): Promise<SqlSession>;
  /** HTTP to a listener through the gate, with the verifier's pass. */
  get(service: string, path: string, headers?: Record<string, string>): Promise<Response>;
  /** For signing in; never for a file. */
  secret(name: string): string;
  /** Last lines of a service's error log since it was started. */
  errorLog(service: string, lines: number): Promise<string[]>;
  /** A complete copy of a live database as one file, checked; resolves with what the check said. */
  backup(database: string, file: string): Promise<string>;
  /** Absolute path of a file in the folder of this run. */
  path(file: string): string;
  /** Files that are there already. */
  files(): string[];
  /** sha256 of a file, also of one elsewhere; null where it is gone. */
  hash(file: string): Promise<string | null>;
  /** File of a quarantined database of an engine that keeps databases in files; null for any other. */
  quarantineFile(database: string): Promise<string | null>;
}

/** What the name of a captured file may have in braces. */
export const EVIDENCE_PLACEHOLDERS = ["stamp", "anchor"] as const;

export interface CaptureDefinition {
  id: string;
  title: string;
  moment: EvidenceMoment;
  /** Of the way back (unless told otherwise), or of a deployment: what a later rollback will need. */
  of?: "back" | "forward";
  /** Name in the folder, with placeholders that are filled in: see EVIDENCE_PLACEHOLDERS. */
  file: string;
  /** Content of the file, or null where `capture` wrote it itself. What it throws stands in the manifest and stops nothing. */
  capture(context: EvidenceContext, file: string): Promise<string | Uint8Array | null>;
}

export interface EvidenceDefinition {
  /** Name of a run, e.g. `phase3-rollback-{stamp}`. */
  anchor: string;
  /** Folder below which every run is kept a second time under its anchor, relative to the stack's folder. */
  archive?: string;
  /** Folder, relative to the stack's, in which the backups of all runs lie together, and how the names of their files begin. */
  backups?: { folder: string; begin: string };
  captures: CaptureDefinition[];
}

/** Rows about a rollback in the system's own data, and the same entry as JSON Lines. */
export interface AuditEntryDefinition {
  database: string;
  table: string;
  /** Columns by which an entry is known: the same one is not written twice. */
  identity: string[];
  /** File of JSON Lines, relative to the stack's folder. */
  file: string;
  /** Values by column; objects become JSON. */
  entry(facts: RunFacts): Record<string, unknown>;
}
