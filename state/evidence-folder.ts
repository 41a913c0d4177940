/** The folder with the evidence of one run, and its manifest: every file with size and sha256. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, copyFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import type { CaptureNote } from "../config/journal.ts";
import { writeAtomically } from "../processes/atomic-file.ts";

export const MANIFEST = "manifest.json";

export interface ManifestEntry {
  file: string;
  sizeBytes: number;
  sha256: string;
}

export interface Manifest {
  runId: string;
  anchor: string;
  success: boolean;
  writtenAt: string;
  captures: CaptureNote[];
  files: ManifestEntry[];
}

export function evidenceFolder(home: string, runId: string): string {
  return join(home, "records", runId);
}

/** Files of a folder and its subfolders, by relative path, in order, without the manifest. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((file) => file !== MANIFEST && !file.endsWith(".part"))
    .sort();
}

export async function hashOfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

export async function writeManifest(folder: string, manifest: Omit<Manifest, "files" | "writtenAt">): Promise<Manifest> {
  const files: ManifestEntry[] = [];
  for (const file of filesIn(folder)) {
    const path = join(folder, file);
    files.push({ file, sizeBytes: statSync(path).size, sha256: await hashOfFile(path) });
  }
  const whole: Manifest = { ...manifest, writtenAt: new Date().toISOString(), files };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeAtomically(join(folder, MANIFEST), `${JSON.stringify(whole, null, 2)}\n`, 0o600);
  return whole;
}

/** Files that differ from the manifest: changed, missing, or not in it. */
export async function manifestDifferences(folder: string): Promise<string[]> {
  const { files } = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8")) as Manifest;
  const there = filesIn(folder);
  const wrong = there.filter((file) => !files.some((entry) => entry.file === file)).map((file) => `${file} is not in the manifest`);
  for (const { file, sha256 } of files) {
    if (!there.includes(file)) wrong.push(`${file} is missing`);
    else if ((await hashOfFile(join(folder, file))) !== sha256) wrong.push(`${file} was changed`);
  }
  return wrong;
}

/** A second copy of the files under another name; hard links where the file system has them, so a large backup uses its space once. */
export function archiveTo(folder: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  for (const file of [...filesIn(folder), MANIFEST]) linkInto(join(folder, file), join(target, file));
}

/** Leaves an existing file as it is. */
export function linkInto(file: string, to: string): void {
  if (existsSync(to)) return;
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  try {
    linkSync(file, to);
  } catch {
    copyFileSync(file, to);
  }
}
