import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheFolder, engineFolder } from "./cache-folder.ts";
import { isExecutable } from "./find-executable.ts";
import { engineFromBuild } from "./from-build.ts";
import { engineFromPath } from "./from-path.ts";
import { engineFromRelease } from "./from-release.ts";
import { putInCache, readCache } from "./cache.ts";
import { withLock } from "./lock.ts";
import { type Log, toStandardError } from "./progress.ts";
import { CommandFailedError, run } from "./run.ts";
import { isSuitable, parseVersion, showVersion } from "./version.ts";
import { allowedSources, NoEngineError, type SourceFailure, type EngineSource, ENGINE_SOURCES } from "./sources.ts";
import type { Engine } from "./environment.ts";

export type { Engine };

export { engineEnvironment } from "./environment.ts";

/** Exit code of the engine where its backend does not know the stack. */
export const STACK_NOT_FOUND = 6;

/** How the engine is looked for. */
export interface EnsureOptions {
  /** Where progress goes, line by line. Default: standard error. */
  log?: Log;
  /** Compare the sha256 sums of a kept engine even where size and time of change are as they were. Default: false. */
  full?: boolean;
}

type MadeSource = Exclude<EngineSource, "path">;
const MAKE: Record<MadeSource, (root: string, log: Log) => Promise<void>> = { release: engineFromRelease, build: engineFromBuild };

/**
 * Finds the engine, or makes it once: a suitable one of the PATH, else the official release, else a build with Go.
 * Already there, it takes milliseconds. Throws {@link NoEngineError} when no source gives one.
 */
export async function ensureEngine(options: EnsureOptions = {}): Promise<Engine> {
  const log = options.log ?? toStandardError;
  const sources = allowedSources();
  const refusals: SourceFailure[] = ENGINE_SOURCES.filter((source) => !sources.includes(source)).map((source) => ({
    source,
    reason: "BACKOUT_ENGINE_SOURCES leaves it out.",
  }));
  if (sources.includes("path")) {
    const found = await engineFromPath();
    if ("pulumi" in found) return { ...found, folder: dirname(found.pulumi), source: "path" };
    refusals.push({ source: "path", reason: found.refused });
  }
  const madeSources = sources.filter((source): source is MadeSource => source !== "path");
  if (madeSources.length === 0) throw inOrder(refusals);
  return (await useCached(madeSources, options.full ?? false)) ?? (await make(madeSources, refusals, options.full ?? false, log));
}

/** The engine as it is; undefined: the next command finds or makes one. Makes nothing. */
export async function findEngine(): Promise<Engine | undefined> {
  const sources = allowedSources();
  if (sources.includes("path")) {
    const found = await engineFromPath();
    if ("pulumi" in found) return { ...found, folder: dirname(found.pulumi), source: "path" };
  }
  return useCached(
    sources.filter((source): source is MadeSource => source !== "path"),
    false,
  );
}

async function useCached(sources: readonly MadeSource[], full: boolean): Promise<Engine | undefined> {
  const kept = await readCache(engineFolder(), full);
  if (kept.state !== "whole" || !sources.includes(kept.source)) return undefined;
  return { pulumi: join(kept.bin, "pulumi"), folder: kept.bin, version: kept.version, source: kept.source };
}

async function make(sources: readonly MadeSource[], refusals: SourceFailure[], full: boolean, log: Log): Promise<Engine> {
  const folder = engineFolder();
  return withLock(`${folder}.lock`, log, async () => {
    const madeMeanwhile = await useCached(sources, full);
    if (madeMeanwhile) return madeMeanwhile;
    await removeLeftovers(folder);
    const before = await readCache(folder, full);
    if (before.state === "damaged") log(`The engine in ${folder} is damaged (${before.problem}): it is made again.`);
    for (const source of sources) {
      const root = `${folder}.making-${process.pid}-${source}`;
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await MAKE[source](root, log);
        await putInCache(root, folder, await checkedVersion(join(root, "bin")), source);
        const made = await useCached([source], false);
        if (made) return made;
        throw new Error(`what was made did not stay whole in ${folder}.`);
      } catch (error) {
        const reason = (error as Error).message;
        log(`No engine from ${source}: ${reason}`);
        refusals.push({ source, reason });
      } finally {
        await rm(root, { recursive: true, force: true });
      }
    }
    throw inOrder(refusals);
  });
}

/** Runs what was made once, before it is kept: a CLI for another machine would otherwise be found out in the middle of an update. */
async function checkedVersion(bin: string): Promise<string> {
  if (!(await isExecutable(join(bin, "pulumi-language-nodejs")))) throw new Error("it came without `pulumi-language-nodejs`.");
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const answer = await run(join(bin, "pulumi"), ["version"], { env, limitMs: 60_000 }).catch((error: unknown) => {
    throw new Error(
      `what was made does not run: ${error instanceof CommandFailedError ? error.lastLines() || error.message : String(error)}`,
    );
  });
  const version = parseVersion(answer.stdout);
  if (!version || !isSuitable(version)) throw new Error(`what was made says it is "${answer.stdout.trim()}", which is not suitable.`);
  return showVersion(version);
}

/** Only ever called under the lock, when nobody else is making anything. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(cacheFolder())) {
    if (name.startsWith(`${basename(folder)}.making-`)) await rm(join(cacheFolder(), name), { recursive: true, force: true });
  }
}

function inOrder(refusals: readonly SourceFailure[]): NoEngineError {
  return new NoEngineError([...refusals].sort((a, b) => ENGINE_SOURCES.indexOf(a.source) - ENGINE_SOURCES.indexOf(b.source)));
}
