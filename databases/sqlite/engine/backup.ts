/** A backup of a live file, taken through a session where one can read it, or copied byte by byte. */
import { copyFileSync, renameSync, rmSync } from "node:fs";
import { liveFile } from "../../../config/site.ts";
import type { Run } from "../../../config/run.ts";
import { all, withFile } from "../database.ts";
import { openLive } from "./session.ts";

/** A file too damaged for a backup is copied as it is: evidence need not be sound. @returns what the backup's integrity check says */
export async function backUp(run: Run, database: string, file: string): Promise<string> {
  const making = `${file}.part`;
  rmSync(making, { force: true });
  try {
    // Through the engine's own session, also from inside the fence.
    const { session, end } = await openLive(run, database, "as it is");
    await session.run("VACUUM INTO $1", [making]).finally(end);
  } catch {
    rmSync(making, { force: true });
    copyFileSync(liveFile(run.site, database), making);
  }
  renameSync(making, file);
  return integrityOf(file);
}

function integrityOf(file: string): string {
  try {
    return withFile(file, { readOnly: true }, (copy) =>
      all<{ integrity_check: string }>(copy, "PRAGMA integrity_check")
        .map(({ integrity_check: line }) => line)
        .join("; "),
    );
  } catch (error) {
    return (error as Error).message;
  }
}
