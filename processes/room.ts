/** Space in the folders that backout writes to, checked before anything begins. */
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { freeAt, judgeSpace, type SpaceVerdict } from "./disk-space.ts";

/** Requires space in a folder that may not exist yet. @throws InsufficientSpaceError */
export async function requireRoomAt(folder: string, sizeBytes: number, margin?: number): Promise<SpaceVerdict> {
  return judgeSpace(await freeAt(firstThere(folder)), sizeBytes, margin);
}

function firstThere(folder: string): string {
  return existsSync(folder) ? folder : firstThere(dirname(folder));
}

/** Size of what a rollout writes besides copies of data: state, logs, configuration. Bytes. */
const HOME_BYTES = 32 * 1_048_576;
const HOME_FILES = 200;

/** No more files can be created in a folder, despite free space. Nothing was changed. */
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

/** Requires space for a rollout in a stack's home. @throws InsufficientSpaceError, NoFilesLeftError */
export async function requireHome(home: string): Promise<void> {
  const there = firstThere(home);
  await requireRoomAt(there, HOME_BYTES, 1);
  // File systems with dynamic inodes report 0 of 0.
  const { files, ffree } = await statfs(there);
  if (files > 0 && ffree < HOME_FILES) throw new NoFilesLeftError(there, ffree);
}
