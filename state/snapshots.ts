/** Finds a snapshot by the name that pins, lineage and plans use. */
import type { StateStore, Snapshot } from "../config/record.ts";
import type { DataAction } from "../config/plan.ts";

interface Named {
  name: string;
  generation: number;
}

/** Null: not found. */
export function snapshotAmong(snapshots: readonly Snapshot[], database: string, { name, generation }: Named): Snapshot | null {
  return snapshots.find((one) => one.database === database && one.name === name && one.generation === generation) ?? null;
}

/** Null: none that can be restored. */
export async function findSnapshot(state: Pick<StateStore, "readySnapshots">, database: string, named: Named): Promise<Snapshot | null> {
  return snapshotAmong(await state.readySnapshots(), database, named);
}

/** The snapshot that an action restores; null: none, or not found. */
export function restoredBy(action: DataAction, snapshots: readonly Snapshot[], database: string): Snapshot | null {
  return action.kind === "restore" ? snapshotAmong(snapshots, database, { name: action.snapshot, generation: action.generation }) : null;
}
