import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { EngineSource } from "./sources.ts";

const MANIFEST = "manifest.json";

interface CachedFile {
  sha256: string;
  sizeBytes: number;
  modifiedMs: number;
}

interface Manifest {
  version: string;
  source: Exclude<EngineSource, "path">;
  madeAt: string;
  files: Record<string, CachedFile>;
}

/** What stands in an engine's folder: nothing, something that cannot be used and why, or an engine. */
export type CachedEngine =
  { state: "none" } | { state: "damaged"; problem: string } | { state: "whole"; version: string; source: Manifest["source"]; bin: string };

/**
 * Looks whether the engine in `folder` is what was put there. Size and time of change are compared on every use; the sha256 sums
 * when one of them differs, and always when `full` is asked for.
 */
export async function readCache(folder: string, full: boolean): Promise<CachedEngine> {
  const manifest = await readManifest(folder);
  if (manifest === "none") return (await exists(folder)) ? { state: "damaged", problem: `it has no ${MANIFEST}` } : { state: "none" };
  if (manifest === "unreadable") return { state: "damaged", problem: `its ${MANIFEST} cannot be read` };
  for (const [name, file] of Object.entries(manifest.files)) {
    const problem = await differs(join(folder, "bin", name), file, full);
    if (problem) return { state: "damaged", problem: `${name} ${problem}` };
  }
  return { state: "whole", version: manifest.version, source: manifest.source, bin: join(folder, "bin") };
}

/** Puts what was made in `made` (with its programs in `bin`) in the place of `folder`, whatever was there before. */
export async function putInCache(made: string, folder: string, version: string, source: Manifest["source"]): Promise<void> {
  const files: Record<string, CachedFile> = {};
  for (const entry of await readdir(join(made, "bin"), { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(made, "bin", entry.name);
    const { size, mtimeMs } = await stat(path);
    files[entry.name] = { sha256: await sha256(path), sizeBytes: size, modifiedMs: mtimeMs };
  }
  const manifest: Manifest = { version, source, madeAt: new Date().toISOString(), files };
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
    const whole = manifest.version && (manifest.source === "release" || manifest.source === "build") && manifest.files?.["pulumi"];
    return whole ? (manifest as Manifest) : "unreadable";
  } catch {
    return "unreadable";
  }
}

async function differs(path: string, kept: CachedFile, full: boolean): Promise<string | undefined> {
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
