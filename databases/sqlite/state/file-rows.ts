/** Rows of the state file as what they stand for. */
import type { RolloutPlan, Lineage } from "../../../config/plan.ts";
import type { Pins } from "../../../config/pins.ts";
import type { Baseline } from "../../../config/system/check.ts";
import type { Noted } from "../../../config/journal.ts";
import type { CatalogueDatabase, Rollout, Snapshot } from "../../../config/record.ts";

export interface RolloutRow {
  epoch: number;
  rollout: string;
  pins: string;
  plan: string;
  state: Rollout["state"];
  run_id: string;
  started_at: string;
  opened_at: string | null;
  recorded_at: string | null;
  failure: string | null;
  baseline: string | null;
  reason: string | null;
}

export function rolloutOfRow(row: RolloutRow): Rollout {
  return {
    epoch: row.epoch,
    rollout: row.rollout,
    pins: JSON.parse(row.pins) as Pins,
    plan: JSON.parse(row.plan) as RolloutPlan,
    state: row.state,
    runId: row.run_id,
    startedAt: row.started_at,
    openedAt: row.opened_at,
    recordedAt: row.recorded_at,
    failure: row.failure,
    baseline: documentOf<Baseline>(row.baseline),
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
  at: string;
  duration_ms: number | null;
  detail: string | null;
}

export function entryOfRow(row: JournalRow): Noted {
  return {
    epoch: row.epoch,
    runId: row.run_id,
    phase: row.phase,
    kind: row.kind,
    step: row.step,
    status: row.status,
    at: row.at,
    ...(row.duration_ms === null ? {} : { durationMs: row.duration_ms }),
    detail: documentOf(row.detail),
  } as Noted;
}

export interface SnapshotRow extends Omit<Snapshot, "takenAt" | "automatic" | "manifest" | "statistics" | "baseline" | "sizeBytes"> {
  taken_at: string;
  automatic: number;
  manifest: string | null;
  statistics: string | null;
  baseline: string | null;
  size_bytes: number | null;
}

export function snapshotOfRow(row: SnapshotRow): Snapshot {
  const { taken_at, size_bytes, automatic, manifest, statistics, baseline, ...rest } = row;
  return {
    ...rest,
    takenAt: taken_at,
    sizeBytes: size_bytes,
    automatic: automatic === 1,
    manifest: documentOf(manifest),
    statistics: documentOf(statistics),
    baseline: documentOf<Baseline>(baseline),
  };
}

export interface DatabaseRow {
  oid: number;
  identity: string;
  name: string;
  path: string;
  database: string;
  role: CatalogueDatabase["role"];
  lineage: string;
  snapshot_id: number | null;
  epoch: number;
  created_at: string;
  verified: string | null;
}

export function databaseOfRow(row: DatabaseRow): CatalogueDatabase {
  return {
    oid: row.oid,
    name: row.name,
    database: row.database,
    role: row.role,
    lineage: JSON.parse(row.lineage) as Lineage,
    snapshotId: row.snapshot_id,
    epoch: row.epoch,
    createdAt: row.created_at,
    verified: documentOf(row.verified),
  };
}

function documentOf<T = Record<string, unknown>>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
