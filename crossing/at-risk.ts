/** Data at risk: rows written since the data a pin goes back to, per table. */
import type { ControlRecord, Snapshot } from "../control/record.ts";
import { engineOf, type AtRisk, type Looking, type RowsAtRisk } from "./engine.ts";
import type { DataAction } from "./plan.ts";
import type { Run } from "./run.ts";

export type { AtRisk, RowChanges, RowsAtRisk } from "./engine.ts";

/** Up to this many rows counting takes no longer than a person notices. */
export const COUNT_UP_TO_ROWS = 20_000;

type Controlled = Looking & { control: ControlRecord };

/** The snapshot against which "since" is measured: the one that is restored, or, for an undo, the one the live data descends from. */
export async function baseSnapshot(run: Controlled, database: string, action: DataAction): Promise<Snapshot | null> {
  const snapshots = (await run.control.readySnapshots()).filter((snapshot) => snapshot.database === database);
  if (action.kind === "restore")
    return snapshots.find(({ name, generation }) => name === action.snapshot && generation === action.generation) ?? null;
  const { snapshot: from } = await (await engineOf(run.definition, database)).lineage(run, database);
  return from === null ? null : (snapshots.find(({ name, generation }) => name === from.name && generation === from.generation) ?? null);
}

/** Null where there is nothing to compare with. */
export async function atRisk(run: Controlled, database: string, action: DataAction, exact: boolean): Promise<AtRisk | null> {
  const snapshot = await baseSnapshot(run, database, action);
  return snapshot === null ? null : (await engineOf(run.definition, database)).rowsAtRisk(run, database, snapshot, exact);
}

/** Counts row by row inside the fence. */
export async function countSince(run: Run, database: string, action: DataAction): Promise<RowsAtRisk> {
  const snapshot = await baseSnapshot(run, database, action);
  return snapshot === null ? {} : (await engineOf(run.definition, database)).rowsSince(run, database, snapshot);
}
