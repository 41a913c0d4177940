/** Finding a snapshot as pins, lineage and plans name it. */
import type { StateStore, Snapshot } from "../config/record.ts";
import type { DataAction } from "../config/plan.ts";

interface Named {
  name: string;
  generation: number;
}

/** Null where there is none among them. */
export function snapshotAmong(snapshots: readonly Snapshot[], database: string, { name, generation }: Named): Snapshot | null {
  return snapshots.find((one) => one.database === database && one.name === name && one.generation === generation) ?? null;
}

/** Null where there is none that can be restored. */
export async function findSnapshot(state: Pick<StateStore, "readySnapshots">, database: string, named: Named): Promise<Snapshot | null> {
  return snapshotAmong(await state.readySnapshots(), database, named);
}

/** The snapshot that an action restores; null: it restores none, or that one is not among them. */
export function restoredBy(action: DataAction, snapshots: readonly Snapshot[], database: string): Snapshot | null {
  return action.kind === "restore" ? snapshotAmong(snapshots, database, { name: action.snapshot, generation: action.generation }) : null;
}
