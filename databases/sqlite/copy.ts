/** Copies of files, whole or absent: made under another name, brought to disk, and named when complete. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { requireRoomAt } from "../../processes/room.ts";
import { syncFolder } from "../../processes/atomic-file.ts";
import { withFile } from "./database.ts";
import { BESIDE } from "./identity.ts";
import { DamagedCopyError, problemsOf } from "./integrity.ts";

function makingPath(path: string): string {
  return `${path}.making`;
}

/**
 * Copies an open database page by page, as it is at this moment, and looks at the copy quickly.
 * @param pages how many at a time: in between others may write, and the copy begins anew
 * @throws DamagedCopyError, InsufficientSpaceError
 */
export async function backUp(source: DatabaseSync, path: string, pages = 2_000): Promise<void> {
  const { backup } = process.getBuiltinModule("node:sqlite");
  await whole(path, async (making) => {
    await backup(source, making, { rate: pages });
    const problems = withFile(making, { readOnly: true }, (db) => problemsOf(db, "quick"));
    if (problems.length > 0) throw new DamagedCopyError(path, problems);
  });
}

/** Copies a file nobody writes to; shares its blocks where the file system can. */
export async function copyFile(source: string, path: string): Promise<void> {
  await requireRoomAt(dirname(path), statSync(source).size);
  await whole(path, async (making) => {
    copyFileSync(source, making, constants.COPYFILE_FICLONE);
    return Promise.resolve();
  });
}

async function whole(path: string, make: (making: string) => Promise<void>): Promise<void> {
  const making = makingPath(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  removeFile(making);
  try {
    await make(making);
    chmodSync(making, 0o600);
    toDisk(making);
    chmodSync(making, 0o400);
    renameSync(making, path);
  } catch (error) {
    removeFile(making);
    throw error;
  }
  syncFolder(dirname(path));
}

function toDisk(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes a file with everything beside it. */
export function removeFile(path: string): "already" | "removed" {
  const found = existsSync(path);
  for (const name of [path, ...BESIDE.map((suffix) => path + suffix)]) rmSync(name, { force: true });
  return found ? "removed" : "already";
}
