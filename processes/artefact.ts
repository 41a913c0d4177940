/** A release folder is known by the hash of its contents: the same files give the same hash wherever and whenever they were copied. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";

export interface Artefact {
  path: string;
  /** Of the folder's contents, hexadecimal. */
  sha256: string;
  service?: string;
  release?: string;
}

export class ArtefactMissingError extends Error {
  readonly artefact: Artefact;

  constructor(artefact: Artefact) {
    super(
      `${titleOf(artefact)} is missing: folder ${artefact.path} not found (expected sha256 ${artefact.sha256}); restore it, or enter it again by ${deployCommand(artefact)}`,
    );
    this.name = "ArtefactMissingError";
    this.artefact = artefact;
  }
}

export class ArtefactChangedError extends Error {
  readonly artefact: Artefact;
  readonly actual: string;

  constructor(artefact: Artefact, actual: string) {
    super(
      `${titleOf(artefact)} in ${artefact.path} differs from what was recorded: expected sha256 ${artefact.sha256}, actual ${actual}; ` +
        `restore the recorded files, or enter these as another release by ${deployCommand(artefact)}`,
    );
    this.name = "ArtefactChangedError";
    this.artefact = artefact;
    this.actual = actual;
  }
}

export class UnhashableError extends Error {
  readonly path: string;

  constructor(path: string) {
    super(`${path} is neither file, folder nor symbolic link and cannot be part of a release; remove it`);
    this.name = "UnhashableError";
    this.path = path;
  }
}

/**
 * Hash over relative paths and contents in byte order of the paths. Times, permissions and empty folders do not count; links are not
 * followed.
 */
export async function hashFolder(folder: string): Promise<string> {
  return hashEntries(folder, await entriesOf(folder, ""));
}

/** Whether every file of a release folder is in a copy of it, unchanged; the copy may have more. */
export async function holdsRelease(copy: string, artefact: Artefact): Promise<boolean> {
  const entries = await entriesOf(artefact.path, "");
  return (await hashEntries(copy, entries).catch(() => null)) === artefact.sha256;
}

async function hashEntries(folder: string, entries: readonly Entry[]): Promise<string> {
  const hash = createHash("sha256");
  for (const entry of entries) {
    const path = join(folder, entry.path);
    const content = entry.kind === "link" ? createHash("sha256").update(await readlink(path)) : await hashFile(path);
    hash.update(`${entry.kind}\0${entry.path}\0${content.digest("hex")}\n`);
  }
  return hash.digest("hex");
}

/**
 * Resolves if the folder holds exactly what was recorded.
 * @throws ArtefactMissingError, ArtefactChangedError
 */
export async function verifyArtefact(artefact: Artefact): Promise<void> {
  const found = await stat(artefact.path).catch(() => null);
  if (found === null || !found.isDirectory()) throw new ArtefactMissingError(artefact);
  const actual = await hashFolder(artefact.path);
  if (actual !== artefact.sha256) throw new ArtefactChangedError(artefact, actual);
}

interface Entry {
  kind: "file" | "link";
  /** Relative, with `/`. */
  path: string;
}

async function entriesOf(folder: string, prefix: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const each of await readdir(join(folder, prefix), { withFileTypes: true })) {
    const path = prefix === "" ? each.name : `${prefix}/${each.name}`;
    if (each.isDirectory()) entries.push(...(await entriesOf(folder, path)));
    else if (each.isSymbolicLink()) entries.push({ kind: "link", path });
    else if (each.isFile()) entries.push({ kind: "file", path });
    else throw new UnhashableError(join(folder, path));
  }
  return entries.sort((left, right) => Buffer.compare(Buffer.from(left.path), Buffer.from(right.path)));
}

async function hashFile(path: string) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash;
}

function titleOf({ service, release }: Artefact): string {
  const what = [service, release].filter((each) => each !== undefined).join(" ");
  return what === "" ? "the artefact" : `the artefact of ${what}`;
}

function deployCommand({ release }: Artefact): string {
  return release === undefined ? "the verb `deploy` with --from" : `the verb \`deploy ${release}\` with --from`;
}
