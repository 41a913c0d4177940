/** Copies of a SQLite file: snapshots, standby copies, quarantines. */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Snapshot } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import type { CopyContext, InspectContext, TakenCopy } from "../../engine.ts";
import { snapshotPlace } from "../../shared/snapshot-place.ts";
import { backUp, removeFile } from "../copy.ts";
import { insideFile } from "../fence.ts";
import { bytesOf } from "./inspect.ts";
import { livePath } from "./places.ts";

export { backUp } from "./backup.ts";
export { dropCopy, fileOfCopy, inCopy, inSnapshot, makeStandby, snapshotProblems } from "./standby.ts";

export const driver = (): string => "backup";

export function snapshotLocation({ site }: InspectContext, database: string, name: string, generation: number): string {
  return join(site.home, "snapshots", `${database}_${snapshotPlace(name, generation)}.db`);
}

export async function takeSnapshot({ site }: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  const live = livePath(site, snapshot.database);
  if (again) removeFile(snapshot.location);
  return insideFile(live, async (db) => {
    await requireRoomAt(dirname(snapshot.location), bytesOf(live));
    await backUp(db, snapshot.location);
    return { manifest: null, statistics: null, sizeBytes: statSync(snapshot.location).size };
  });
}

export async function removeSnapshot(_run: CopyContext, snapshot: Snapshot): Promise<void> {
  removeFile(snapshot.location);
  return Promise.resolve();
}
