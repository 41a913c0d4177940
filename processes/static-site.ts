/** A static service's files: every published version stays, and one symbolic link names the served one. */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { hashFolder, verifyArtefact } from "./artefact.ts";
import { syncFolder, writeAtomically } from "./atomic-file.ts";
import { lookUp } from "./identity.ts";

const versionSchema = z.object({ release: z.string(), sha256: z.string() });
/** A release and the hash of its files, as in `processes/artefact.ts`. */
export type PublishedVersion = z.infer<typeof versionSchema>;

export class ReleaseNameError extends Error {
  readonly release: string;

  constructor(release: string) {
    super(`"${release}" cannot name a published version: use letters, digits, ".", "_", "+" and "-"`);
    this.name = "ReleaseNameError";
    this.release = release;
  }
}

/** The folder to serve from. A link that changes: resolve it once per request. */
export function currentFolder(siteFolder: string): string {
  return join(siteFolder, "current");
}

/**
 * Publishes a release folder. Visitors see the old version or the new one, never a mixture; earlier versions stay for a rollback.
 * @throws ArtefactMissingError, ArtefactChangedError if the release folder does not match `sha256`.
 */
export async function publish(
  siteFolder: string,
  releaseFolder: string,
  version: PublishedVersion,
): Promise<{ state: "already" | "published"; folder: string }> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(version.release)) throw new ReleaseNameError(version.release);
  const versions = join(siteFolder, "versions");
  mkdirSync(versions, { recursive: true });
  removeLeftovers(versions);
  const id = `${version.release}-${version.sha256.slice(0, 8)}`;
  const folder = join(versions, id);
  const whole = statSync(folder, { throwIfNoEntry: false }) !== undefined && (await hashFolder(folder)) === version.sha256;
  if (whole && published(siteFolder)?.sha256 === version.sha256 && linkedVersion(siteFolder) === id) return { state: "already", folder };
  if (!whole) await place(releaseFolder, versions, id, version);
  writeAtomically(join(versions, `${id}.json`), `${JSON.stringify(version)}\n`, 0o644);
  switchLink(siteFolder, id);
  return { state: "published", folder };
}

/** The served version; null: nothing was published. */
export function published(siteFolder: string): PublishedVersion | null {
  const id = linkedVersion(siteFolder);
  if (id === null) return null;
  try {
    return versionSchema.parse(JSON.parse(readFileSync(join(siteFolder, "versions", `${id}.json`), "utf8")));
  } catch {
    return null;
  }
}

/** The copy is verified, not the source, so exactly the recorded files are served. */
async function place(releaseFolder: string, versions: string, id: string, version: PublishedVersion): Promise<void> {
  await verifyArtefact({ path: releaseFolder, ...version });
  const temporary = temporaryName(versions);
  try {
    cpSync(releaseFolder, temporary, { recursive: true, verbatimSymlinks: true });
    await verifyArtefact({ path: temporary, ...version });
    const folder = join(versions, id);
    // A changed version is moved away first: a rename cannot replace a folder with contents.
    const aside = temporaryName(versions);
    if (statSync(folder, { throwIfNoEntry: false }) !== undefined) renameSync(folder, aside);
    renameSync(temporary, folder);
    syncFolder(versions);
    rmSync(aside, { recursive: true, force: true });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function switchLink(siteFolder: string, id: string): void {
  const temporary = temporaryName(siteFolder);
  symlinkSync(join("versions", id), temporary);
  renameSync(temporary, currentFolder(siteFolder));
  syncFolder(siteFolder);
}

function linkedVersion(siteFolder: string): string | null {
  try {
    return basename(readlinkSync(currentFolder(siteFolder)));
  } catch {
    return null;
  }
}

function temporaryName(folder: string): string {
  return join(folder, `.temporary-${process.pid}-${randomBytes(4).toString("hex")}`);
}

function removeLeftovers(versions: string): void {
  for (const entry of readdirSync(versions)) {
    const owner = /^\.temporary-(\d+)-/.exec(entry)?.[1];
    if (owner !== undefined && lookUp(Number(owner)) === null) rmSync(join(versions, entry), { recursive: true, force: true });
  }
}
