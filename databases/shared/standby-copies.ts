/** Copies of snapshots that stand by. */
import type { StateStore, Snapshot, CatalogueDatabase } from "../../config/record.ts";

export async function copiesOf(state: StateStore, snapshot: Snapshot): Promise<CatalogueDatabase[]> {
  return (await state.catalogued()).filter(({ role, snapshotId }) => role === "standby" && snapshotId === snapshot.id);
}
