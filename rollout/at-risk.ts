/** Data at risk: rows written since the data a pin goes back to, per table. */
import type { StateStore, Snapshot } from "../config/record.ts";
import type { AtRisk, InspectContext } from "../databases/engine.ts";
import { dataOf, inspectionOf } from "../databases/registry.ts";
import { changesInWords } from "../databases/shared/at-risk.ts";
import type { DataAction } from "../config/plan.ts";
import { findSnapshot, restoredBy } from "../state/snapshots.ts";
import type { Run } from "../config/run.ts";
import { withoutOwnFlags } from "./steps/flags.ts";

export type { AtRisk, RowChanges, RowsAtRisk } from "../databases/engine.ts";

/** What `newWrites: reject` refuses for, in words; empty: nothing can be lost. */
export function losses({ rows, unknown, notCompared }: AtRisk): string[] {
  return [
    ...Object.entries(rows)
      .filter(([, { inserted, updated, deleted }]) => inserted + updated + deleted > 0)
      .map(([table, changes]) => `${table}: ${changesInWords(changes)}`),
    ...Object.entries(unknown).map(([table, why]) => `${table}: unknown, ${why}`),
    ...notCompared
      .filter(({ mayBeLost }) => mayBeLost)
      .map(({ kind, name, why, compared }) => `${kind} ${name}, which is ${compared === true ? "in no export" : "not compared"}: ${why}`),
  ];
}

/** Why `newWrites: reject` refuses, and what to do instead; null: nothing can be lost. */
export function newWritesRefusal(database: string, release: string, found: AtRisk): { told: string; instead: string } | null {
  const lost = losses(found);
  if (lost.length === 0) return null;
  const rows = Object.values(found.rows).reduce((sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted, 0);
  const what =
    rows > 0
      ? `${rows} ${rows === 1 ? "row" : "rows"} of ${database} ${rows === 1 ? "was" : "were"}`
      : `something in ${database} may have been`;
  return {
    told: `backout:newWrites is "reject" and ${what} written since (${lost.join("; ")}).`,
    instead: `Set backout:newWrites to "export" to keep them as files, or pin other data than ${release}'s.`,
  };
}

type WithState = InspectContext & { state: StateStore };

/** The snapshot against which "since" is measured: the one that is restored, or, for an undo, the one the live data descends from. */
export async function baseSnapshot(run: WithState, database: string, action: DataAction): Promise<Snapshot | null> {
  if (action.kind === "restore") return restoredBy(action, await run.state.readySnapshots(), database);
  const { snapshot: from } = await (await inspectionOf(run, database)).lineage(run, database);
  return from === null ? null : findSnapshot(run.state, database, from);
}

/** Null where there is nothing to compare with. */
export async function atRisk(run: WithState, database: string, action: DataAction, exact: boolean): Promise<AtRisk | null> {
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) return null;
  return withoutOwnFlags(run, snapshot, await (await inspectionOf(run, database)).rowsAtRisk(run, database, snapshot, exact), false);
}

/** Counts row by row inside the fence; null where there is nothing to compare with. */
export async function countSince(run: Run, database: string, action: DataAction): Promise<AtRisk | null> {
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) return null;
  return withoutOwnFlags(run, snapshot, await (await dataOf(run, database)).rowsSince(run, database, snapshot), true);
}
