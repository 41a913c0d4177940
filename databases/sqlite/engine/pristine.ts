import type { DatabaseSync } from "node:sqlite";
import type { Snapshot } from "../../../config/record.ts";
import { openFile } from "../database.ts";

/** Reads the file of a snapshot, which nobody writes to. */
export async function inPristine<T>(snapshot: Snapshot, work: (db: DatabaseSync) => Promise<T>): Promise<T> {
  const db = openFile(snapshot.location, { immutable: true });
  return work(db).finally(() => db.close());
}
