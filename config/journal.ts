/**
 * The journal of a rollout: every step that was begun, finished or failed. `kind` says what a step is, `detail` what it found; only people read
 * `step`, the sentence that is shown.
 */
import type { Phase } from "./phases.ts";
import type { CheckResult } from "./system/check.ts";
import type { Completion } from "./system/completion.ts";
import type { ConstraintState } from "./system/constraint.ts";
import type { RowsChanged } from "./system/repair.ts";

/** What a finished step of each kind records. Null: nothing. */
export interface StepDetails {
  protect: null;
  "keep-configuration": { path: string; sha256: Record<string, string> };
  /** Restrictions besides the gate: put on, given back. */
  restrict: RestrictionDone;
  "give-back": RestrictionDone;
  /** What was still under way when the limit was reached, or why nobody could wait. */
  drain: { drained: boolean; inFlight: number } | { failure: string };
  stop: { stopped: string[] };
  /** By database: who was inside. */
  "close-data": Record<string, unknown>;
  /** Rows by table, counted when nothing writes any more. */
  count: Record<string, number>;
  "count-since": { rows: Record<string, RowsChanged> } | null;
  "refuse-writes": null;
  make: null;
  /** Null: the database descended from what is pinned already. */
  "cut-over": ({ database: string } & CutOver) | null;
  /** Rows by table. */
  "carry-over": Record<string, number>;
  repair: { database: string; repair: string; rows: Record<string, RowsChanged> };
  export: ExportFile[];
  migrate: Migrated;
  "put-back": { conflicts: number; conflictFile: string | null; counts: Record<string, number> };
  constraint: ConstraintDone;
  snapshot: { database: string; name: string; generation: number; driver: string };
  install: string;
  flags: { before: Record<string, boolean>; flags: Record<string, boolean> };
  admit: null;
  start: { service: string; state: string };
  restart: null;
  check: { passed: number };
  results: CheckResult[];
  /** By service: which process runs; null: it is not known. */
  "stay-up": Record<string, string | null>;
  open: null;
  retention: { dropped: string[] };
  "governance-log": null;
  "close-record": null;
  /** What was copied to the store, and what is there not yet. */
  store: { stored: string[]; left: string[] };
  capture: CaptureNote;
  ended: Ended;
  action: { id: string; detail: string };
}
export type StepKind = keyof StepDetails;

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
  /** What the system's own migration command wrote, at its end. Absent: none was run. */
  output?: string[];
}

/** A file with rows, as it was written. */
export interface ExportFile {
  path: string;
  sha256: string;
  rows: number;
}

export interface ConstraintDone {
  name: string;
  table: string;
  state: ConstraintState;
  how: "already" | "dropped" | "added" | "validated" | "loosened";
  quarantined: { table: string; into: string; rows: number }[];
}

export interface RestrictionDone {
  id: string;
  /** In words. */
  did: string;
  rows?: number;
}

/** One captured piece of evidence. */
export interface CaptureNote {
  id: string;
  title: string;
  file: string;
  /** Null: captured. */
  missing: string | null;
  at: string;
}

/** The end of a run, well or badly. */
export interface Ended {
  completion: Completion | null;
  /** Folder of the evidence; null where the system declares none. */
  evidence: string | null;
  anchor: string;
}

export interface StepFailure {
  /** Its first line. */
  error: string;
  /** All of why, without what to run next. Absent in records of before. */
  reason?: string;
  /** Users are kept out until the next update opens; the message of the failure says so, and what to run. */
  gateClosed: boolean;
}

interface Head<K extends StepKind> {
  epoch: number;
  runId: string;
  /** `evidence` and `action` are no phases of a rollout: also what failed has evidence, and actions follow what succeeded. */
  phase: Phase | "evidence" | "action";
  kind: K;
  step: string;
}
interface StepStarted<K extends StepKind = StepKind> extends Head<K> {
  status: "started";
  durationMs?: undefined;
  detail?: undefined;
}
interface StepFinished<K extends StepKind = StepKind> extends Head<K> {
  /** `already`: there was nothing to do. */
  status: "finished" | "already";
  durationMs?: number;
  detail: StepDetails[K];
}
interface StepFailed<K extends StepKind = StepKind> extends Head<K> {
  status: "failed";
  durationMs?: number;
  detail: StepFailure;
}
export type EntryOf<K extends StepKind> = StepStarted<K> | StepFinished<K> | StepFailed<K>;
export type JournalEntry = { [K in StepKind]: EntryOf<K> }[StepKind];
/** As it is kept, with the time at which it was written, ISO 8601. */
export type Noted<E = JournalEntry> = E & { at: string };

/** Steps of one kind that were finished, oldest first. */
export function finished<K extends StepKind>(journal: readonly Noted[], kind: K): Noted<StepFinished<K>>[] {
  return journal.filter(
    (entry): entry is Noted<Extract<JournalEntry, StepFinished<K>>> => entry.kind === kind && entry.status === "finished",
  );
}
