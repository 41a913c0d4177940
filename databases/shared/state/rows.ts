/** Rows of a state store as the records they stand for, whatever the engine. */
import type { RolloutPlan, Lineage } from "../../../config/plan.ts";
import type { Pins } from "../../../config/pins.ts";
import type { Baseline } from "../../../config/system/check.ts";
import type { Noted } from "../../../config/journal.ts";
import type { CatalogueDatabase, Rollout, Snapshot } from "../../../config/record.ts";

/** How an engine hands out a document of a row: parsed, or as text. Null is no document. */
export type DocumentOf = <T>(value: unknown) => T | null;

type Time = Date | string;

const time = (value: Time): string => (value instanceof Date ? value.toISOString() : value);
const timeOrNull = (value: Time | null): string | null => (value === null ? null : time(value));

export interface RolloutRow {
  epoch: number;
  rollout: string;
  pins: unknown;
  plan: unknown;
  state: Rollout["state"];
  run_id: string;
  started_at: Time;
  opened_at: Time | null;
  recorded_at: Time | null;
  failure: string | null;
  baseline: unknown;
  reason: string | null;
}

export function rolloutOfRow(row: RolloutRow, document: DocumentOf): Rollout {
  return {
    epoch: row.epoch,
    rollout: row.rollout,
    pins: document<Pins>(row.pins)!,
    plan: document<RolloutPlan>(row.plan)!,
    state: row.state,
    runId: row.run_id,
    startedAt: time(row.started_at),
    openedAt: timeOrNull(row.opened_at),
    recordedAt: timeOrNull(row.recorded_at),
    failure: row.failure,
    baseline: document<Baseline>(row.baseline),
    reason: row.reason,
  };
}

export interface JournalRow {
  epoch: number;
  run_id: string;
  phase: string;
  kind: string;
  step: string;
  status: string;
  at: Time;
  duration_ms: number | null;
  detail: unknown;
}

export function entryOfRow(row: JournalRow, document: DocumentOf): Noted {
  return {
    epoch: row.epoch,
    runId: row.run_id,
    phase: row.phase,
    kind: row.kind,
    step: row.step,
    status: row.status,
    at: time(row.at),
    ...(row.duration_ms === null ? {} : { durationMs: row.duration_ms }),
    detail: document(row.detail),
  } as Noted;
}

export interface SnapshotRow extends Omit<Snapshot, "takenAt" | "automatic" | "manifest" | "statistics" | "baseline" | "sizeBytes"> {
  taken_at: Time;
  automatic: boolean | number;
  manifest: unknown;
  statistics: unknown;
  baseline: unknown;
  size_bytes: number | string | null;
}

export function snapshotOfRow(row: SnapshotRow, document: DocumentOf): Snapshot {
  const { taken_at, size_bytes, automatic, manifest, statistics, baseline, ...rest } = row;
  return {
    ...rest,
    takenAt: time(taken_at),
    sizeBytes: size_bytes === null ? null : Number(size_bytes),
    automatic: Boolean(automatic),
    manifest: document(manifest),
    statistics: document(statistics),
    baseline: document<Baseline>(baseline),
  };
}

export interface DatabaseRow {
  oid: number | string;
  name: string;
  database: string;
  role: CatalogueDatabase["role"];
  lineage: unknown;
  snapshot_id: number | null;
  epoch: number;
  created_at: Time;
  verified: unknown;
}

export function databaseOfRow(row: DatabaseRow, document: DocumentOf): CatalogueDatabase {
  return {
    oid: Number(row.oid),
    name: row.name,
    database: row.database,
    role: row.role,
    lineage: document<Lineage>(row.lineage)!,
    snapshotId: row.snapshot_id,
    epoch: row.epoch,
    createdAt: time(row.created_at),
    verified: document(row.verified),
  };
}
