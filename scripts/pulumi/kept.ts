import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Way } from "./ways.ts";

const MANIFEST = "manifest.json";

interface KeptFile {
  sha256: string;
  sizeBytes: number;
  modifiedMs: number;
}

interface Manifest {
  version: string;
  way: Exclude<Way, "path">;
  madeAt: string;
  files: Record<string, KeptFile>;
}

/** What stands in an engine's folder: nothing, something that cannot be used and why, or an engine. */
export type Kept =
  { state: "none" } | { state: "damaged"; problem: string } | { state: "whole"; version: string; way: Manifest["way"]; bin: string };

/**
 * Looks whether the engine in `folder` is what was put there. Size and time of change are compared on every use; the sha256 sums
 * when one of them differs, and always when `full` is asked for.
 */
export async function readKept(folder: string, full: boolean): Promise<Kept> {
  const manifest = await readManifest(folder);
  if (manifest === "none") return (await exists(folder)) ? { state: "damaged", problem: `it has no ${MANIFEST}` } : { state: "none" };
  if (manifest === "unreadable") return { state: "damaged", problem: `its ${MANIFEST} cannot be read` };
  for (const [name, file] of Object.entries(manifest.files)) {
    const problem = await differs(join(folder, "bin", name), file, full);
    if (problem) return { state: "damaged", problem: `${name} ${problem}` };
  }
  return { state: "whole", version: manifest.version, way: manifest.way, bin: join(folder, "bin") };
}

/** Puts what was made in `made` (with its programs in `bin`) in the place of `folder`, whatever was there before. */
export async function keep(made: string, folder: string, version: string, way: Manifest["way"]): Promise<void> {
  const files: Record<string, KeptFile> = {};
  for (const entry of await readdir(join(made, "bin"), { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(made, "bin", entry.name);
    const { size, mtimeMs } = await stat(path);
    files[entry.name] = { sha256: await sha256(path), sizeBytes: size, modifiedMs: mtimeMs };
  }
  const manifest: Manifest = { version, way, madeAt: new Date().toISOString(), files };
  await writeFile(join(made, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  const aside = `${made}.replaced`;
  if (await exists(folder)) await rename(folder, aside);
  await rename(made, folder);
  await rm(aside, { recursive: true, force: true });
}

async function readManifest(folder: string): Promise<Manifest | "none" | "unreadable"> {
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST), "utf8");
  } catch {
    return "none";
  }
  try {
    const manifest = JSON.parse(text) as Partial<Manifest>;
    const whole = manifest.version && (manifest.way === "release" || manifest.way === "build") && manifest.files?.["pulumi"];
    return whole ? (manifest as Manifest) : "unreadable";
  } catch {
    return "unreadable";
  }
}

async function differs(path: string, kept: KeptFile, full: boolean): Promise<string | undefined> {
  let found: { size: number; mtimeMs: number };
  try {
    found = await stat(path);
  } catch {
    return "is missing";
  }
  if (found.size !== kept.sizeBytes) return `has ${found.size} bytes instead of ${kept.sizeBytes}`;
  if (!full && found.mtimeMs === kept.modifiedMs) return undefined;
  return (await sha256(path)) === kept.sha256 ? undefined : "has another sha256 sum than when it was put there";
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
