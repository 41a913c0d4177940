/** What a dump consists of: written last, verified before each restore. A dump without it is unfinished. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export const DUMP_MANIFEST = "backout-dump.json";

/** Where a dump is until it is complete. */
export function makingFolder(folder: string): string {
  return `${folder}__making`;
}

export interface DumpManifest {
  format: 1;
  source: string;
  serverVersion: string;
  toolVersion: string;
  takenAt: string;
  /** Size of the database when it was dumped: what a restore will need. */
  databaseBytes: number;
  encoding: string;
  collate: string;
  ctype: string;
  provider: string;
  locale: string | null;
  /** Materialized views with content: a restore refreshes them. */
  materializedViews: string[];
  files: Record<string, { sizeBytes: number; sha256: string }>;
}

/** The dump is not what was written. Nothing was restored. */
export class DamagedDumpError extends Error {
  readonly folder: string;
  readonly problems: string[];
  constructor(folder: string, problems: string[]) {
    super(`the dump in ${folder} is damaged: ${problems.join("; ")}. Nothing was restored; use another snapshot`);
    this.name = "DamagedDumpError";
    this.folder = folder;
    this.problems = problems;
  }
}

/** There is no such dump here. Nothing was restored. */
export class DumpNotHereError extends Error {
  readonly folder: string;
  constructor(folder: string) {
    super(
      `there is no dump in ${folder}: a dump is kept by the machine that took it. Nothing was restored; run the command there, copy the folder here, or use another snapshot`,
    );
    this.name = "DumpNotHereError";
    this.folder = folder;
  }
}

export async function hashFiles(folder: string): Promise<DumpManifest["files"]> {
  const names = (await readdir(folder)).filter((name) => name !== DUMP_MANIFEST).sort();
  const entries = [];
  for (const name of names) {
    const path = join(folder, name);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    entries.push([name, { sizeBytes: (await stat(path)).size, sha256: hash.digest("hex") }] as const);
  }
  return Object.fromEntries(entries);
}

export async function writeManifest(folder: string, manifest: DumpManifest): Promise<void> {
  const file = await open(join(folder, DUMP_MANIFEST), "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(manifest, null, 2) + "\n");
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Reads the manifest and compares every file with it. @throws DamagedDumpError, DumpNotHereError */
export async function verifyDump(folder: string): Promise<DumpManifest> {
  const manifest = await readManifest(folder);
  const problems = fileProblems(manifest.files, await hashFiles(folder));
  if (problems.length > 0) throw new DamagedDumpError(folder, problems);
  return manifest;
}

export async function readManifest(folder: string): Promise<DumpManifest> {
  if (!existsSync(folder)) throw new DumpNotHereError(folder);
  try {
    const manifest = JSON.parse(await readFile(join(folder, DUMP_MANIFEST), "utf8")) as DumpManifest;
    if (manifest.format !== 1) throw new Error(`format ${String(manifest.format)} is not known`);
    return manifest;
  } catch (error) {
    throw new DamagedDumpError(folder, [`${DUMP_MANIFEST} cannot be read (${error instanceof Error ? error.message : String(error)})`]);
  }
}

function fileProblems(expected: DumpManifest["files"], actual: DumpManifest["files"]): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
  return names.flatMap((name) => {
    const [wanted, found] = [expected[name], actual[name]];
    if (found === undefined) return [`${name} is missing`];
    if (wanted === undefined) return [`${name} does not belong to it`];
    if (wanted.sizeBytes !== found.sizeBytes) return [`${name} has ${found.sizeBytes} bytes, not ${wanted.sizeBytes}`];
    return wanted.sha256 === found.sha256 ? [] : [`${name} has other content than was written`];
  });
}
