/** Copies of snapshots that stand by. */
import type { ControlRecord, Snapshot, CatalogueDatabase } from "../../config/record.ts";

export async function copiesOf(control: ControlRecord, snapshot: Snapshot): Promise<CatalogueDatabase[]> {
  return (await control.catalogued()).filter(({ role, snapshotId }) => role === "armed" && snapshotId === snapshot.id);
}
