/** Room in the folders that backout itself writes to, asked before anything begins. */
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { freeAt, judgeSpace, type SpaceVerdict } from "./disk-space.ts";

/** Room in a folder that need not be there yet. @throws InsufficientSpaceError */
export async function requireRoomAt(folder: string, sizeBytes: number, margin?: number): Promise<SpaceVerdict> {
  return judgeSpace(await freeAt(firstThere(folder)), sizeBytes, margin);
}

function firstThere(folder: string): string {
  return existsSync(folder) ? folder : firstThere(dirname(folder));
}

/** What a rollout writes besides copies of data: its record, logs, configuration. Bytes. */
const HOME_BYTES = 32 * 1_048_576;
const HOME_FILES = 200;

/** No more files can be made in a folder, whatever is free. Nothing was changed. */
export class NoFilesLeftError extends Error {
  readonly path: string;
  readonly freeFiles: number;
  constructor(path: string, freeFiles: number) {
    super(
      `the file system of ${path} takes ${freeFiles} more files, ${HOME_FILES} are needed (no inodes left): remove files there. Nothing was changed`,
    );
    this.name = "NoFilesLeftError";
    this.path = path;
    this.freeFiles = freeFiles;
  }
}

/** Whether a rollout can keep its record in a stack's home. @throws InsufficientSpaceError, NoFilesLeftError */
export async function requireHome(home: string): Promise<void> {
  const there = firstThere(home);
  await requireRoomAt(there, HOME_BYTES, 1);
  // File systems that make inodes as they go say 0 of 0.
  const { files, ffree } = await statfs(there);
  if (files > 0 && ffree < HOME_FILES) throw new NoFilesLeftError(there, ffree);
}
