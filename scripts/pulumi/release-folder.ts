/** A folder that is to become a release: what it holds must be what its hash says. */
import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { RefusedError, UsageError } from "../../config/errors.ts";
import { hashFolder } from "../../processes/artefact.ts";

/** The folder, or something in it, is a link to a place that the hash does not cover. */
export class LinkOutsideError extends RefusedError {
  readonly path: string;
  readonly target: string;
  constructor(path: string, target: string) {
    super(
      `${path} is a link to ${target}, outside the release: its hash would not notice a change there. Copy the files into the folder; nothing was changed`,
    );
    this.name = "LinkOutsideError";
    this.path = path;
    this.target = target;
  }
}

/**
 * sha256 of a release folder.
 * @param root folder of the project: a folder inside of it must really lie there
 * @throws UsageError where it is no folder or empty, LinkOutsideError
 */
export async function hashRelease(folder: string, root: string): Promise<string> {
  const path = resolve(folder);
  const found = await stat(path).catch(() => null);
  if (found === null) throw new UsageError(`${folder}: folder not found; nothing was changed`);
  if (!found.isDirectory()) throw new UsageError(`${folder} is a file: a release is a folder with all of its files; nothing was changed`);
  const real = await realpath(path);
  if (isInside(path, resolve(root)) && !isInside(real, await realpath(root))) throw new LinkOutsideError(folder, real);
  await requireOwnLinks(real, real);
  if ((await readdir(real)).length === 0) throw new UsageError(`${folder} is empty; nothing was changed`);
  return hashFolder(path);
}

async function requireOwnLinks(root: string, folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await requireOwnLinks(root, path);
    if (!entry.isSymbolicLink()) continue;
    const target = await realpath(path).catch(async () => resolve(dirname(path), await readlink(path)));
    if (!isInside(target, root)) throw new LinkOutsideError(path, target);
  }
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith("../") && resolve(folder, way) === path;
}
