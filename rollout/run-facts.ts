/** What is known of a run, put together from its record: for evidence, for the system's own audit entry and for the report. */
import { findSnapshot } from "../state/snapshots.ts";
import { finished, type Noted } from "../config/journal.ts";
import type { Rollout } from "../config/record.ts";
import type { Completion } from "../config/system/completion.ts";
import type { DataFacts, RunFacts } from "../config/system/evidence.ts";
import { repairsOf } from "../config/repairs.ts";
import { movedData } from "./moved-data.ts";
import type { DataAction } from "../config/plan.ts";
import type { Run } from "../config/run.ts";

export interface Ending {
  /** Step that failed; null where none did. */
  failure: string | null;
  /** Rows set aside, by database. */
  setAside: Record<string, number>;
  completion: Completion | null;
}

/** `YYYYMMDD_HHMMSS`, UTC. */
function stampOf(startedAt: string): string {
  return startedAt.slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "_");
}

export function fillNames(text: string, { stamp, anchor }: { stamp: string; anchor: string }): string {
  return text.replaceAll("{stamp}", stamp).replaceAll("{anchor}", anchor);
}

export async function runFacts(run: Run, { failure, setAside, completion }: Ending): Promise<RunFacts> {
  const rollout = await run.state.rollout(run.epoch);
  if (rollout === null) throw new Error(`rollout ${run.epoch} has no record`);
  const journal = await run.state.journal(run.epoch);
  const { definition, site } = run;
  const stamp = stampOf(rollout.startedAt);
  const data: Record<string, DataFacts> = {};
  for (const database of Object.keys(rollout.plan.databases)) {
    const { epoch, action } = await movedData(run, database);
    const its = epoch === run.epoch ? journal : await run.state.journal(epoch);
    data[database] = await dataFacts(run, database, action, its, setAside[database] ?? 0);
  }
  return {
    runId: rollout.runId,
    epoch: run.epoch,
    anchor: anchorOf(run, rollout),
    stamp,
    system: definition.name,
    stack: site.stack,
    scope: rollout.plan.scope,
    forward: rollout.plan.forward,
    rollback: isRollback(rollout.plan),
    from: rollout.plan.fromRelease,
    to: rollout.plan.toRelease,
    reason: rollout.reason,
    incident: site.incident ?? {},
    startedAt: rollout.startedAt,
    openedAt: rollout.openedAt,
    success: failure === null && rollout.openedAt !== null,
    failure,
    data,
    checks: finished(journal, "results").at(-1)?.detail ?? [],
    completion,
    steps: journal.map(({ at, phase, step, status, durationMs }) => ({ at, phase, step, status, durationMs: durationMs ?? null })),
  };
}

function isRollback({ forward, changes, databases }: Rollout["plan"]): boolean {
  const kinds = Object.values(databases).map(({ action }) => action.kind);
  const data = kinds.some((kind) => kind !== "none" && kind !== "create");
  return !forward && (data || changes.some(({ from, to }) => from !== null && from !== to));
}

function anchorOf(run: Pick<Run, "definition">, { runId, startedAt }: Pick<Rollout, "runId" | "startedAt">): string {
  return run.definition.evidence?.anchor.replaceAll("{stamp}", stampOf(startedAt)) ?? runId;
}

async function dataFacts(run: Run, database: string, action: DataAction, journal: Noted[], setAside: number): Promise<DataFacts> {
  const cut = finished(journal, "cut-over").findLast(({ detail }) => detail?.database === database);
  const repaired = finished(journal, "repair").findLast(({ detail }) => detail.database === database);
  const rows = Object.values(repaired?.detail.rows ?? {});
  const replaces = action.kind === "repair" && repairsOf(run.definition, database)[action.repair]?.replaces === true;
  const snapshot =
    action.kind === "restore"
      ? { name: action.snapshot, generation: action.generation }
      : action.kind === "repair"
        ? action.snapshot
        : null;
  return {
    action: action.kind,
    from:
      action.kind === "repair"
        ? `${action.repair}${snapshot === null ? "" : ` from ${snapshot.name}@${snapshot.generation}`}`
        : action.kind === "undo"
          ? action.quarantine
          : snapshot === null
            ? null
            : `${snapshot.name}@${snapshot.generation}`,
    at: (cut ?? repaired)?.at ?? null,
    snapshotTakenAt: snapshot === null ? null : await takenAt(run, database, snapshot),
    quarantine: cut?.detail?.quarantine ?? null,
    rows:
      action.kind === "repair" ? rows.reduce((sum, one) => sum + one.deleted + (replaces ? one.inserted + one.updated : 0), 0) : setAside,
  };
}

async function takenAt(run: Run, database: string, named: { name: string; generation: number }): Promise<string | null> {
  return (await findSnapshot(run.state, database, named))?.takenAt ?? null;
}
