import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheFolder, engineFolder } from "./cache-folder.ts";
import { isExecutable } from "./find-executable.ts";
import { engineFromBuild } from "./from-build.ts";
import { engineFromPath } from "./from-path.ts";
import { engineFromRelease } from "./from-release.ts";
import { keep, readKept } from "./kept.ts";
import { withLock } from "./lock.ts";
import { type Log, toStandardError } from "./progress.ts";
import { CommandFailedError, run } from "./run.ts";
import { isSuitable, parseVersion, showVersion } from "./version.ts";
import { allowedWays, NoEngineError, type Refusal, type Way, WAYS } from "./ways.ts";
import type { Engine } from "./environment.ts";

export type { Engine };

export { engineEnvironment } from "./environment.ts";

export interface EnsureOptions {
  /** Where progress goes, line by line. Default: standard error. */
  log?: Log;
  /** Compare the sha256 sums of a kept engine even where size and time of change are as they were. Default: false. */
  full?: boolean;
}

type MadeWay = Exclude<Way, "path">;
const MAKE: Record<MadeWay, (root: string, log: Log) => Promise<void>> = { release: engineFromRelease, build: engineFromBuild };

/**
 * Finds the engine, or makes it once: a suitable one of the PATH, else the official release, else a build with Go.
 * Already there, it takes milliseconds. Throws {@link NoEngineError} when no way leads to one.
 */
export async function ensureEngine(options: EnsureOptions = {}): Promise<Engine> {
  const log = options.log ?? toStandardError;
  const ways = allowedWays();
  const refusals: Refusal[] = WAYS.filter((way) => !ways.includes(way)).map((way) => ({
    way,
    reason: "BACKOUT_ENGINE_WAYS leaves it out.",
  }));
  if (ways.includes("path")) {
    const found = await engineFromPath();
    if ("pulumi" in found) return { ...found, folder: dirname(found.pulumi), way: "path" };
    refusals.push({ way: "path", reason: found.refused });
  }
  const madeWays = ways.filter((way): way is MadeWay => way !== "path");
  if (madeWays.length === 0) throw inOrder(refusals);
  return (await useKept(madeWays, options.full ?? false)) ?? (await make(madeWays, refusals, options.full ?? false, log));
}

async function useKept(ways: readonly MadeWay[], full: boolean): Promise<Engine | undefined> {
  const kept = await readKept(engineFolder(), full);
  if (kept.state !== "whole" || !ways.includes(kept.way)) return undefined;
  return { pulumi: join(kept.bin, "pulumi"), folder: kept.bin, version: kept.version, way: kept.way };
}

async function make(ways: readonly MadeWay[], refusals: Refusal[], full: boolean, log: Log): Promise<Engine> {
  const folder = engineFolder();
  return withLock(`${folder}.lock`, log, async () => {
    const madeMeanwhile = await useKept(ways, full);
    if (madeMeanwhile) return madeMeanwhile;
    await removeLeftovers(folder);
    const before = await readKept(folder, full);
    if (before.state === "damaged") log(`The engine in ${folder} is damaged (${before.problem}): it is made again.`);
    for (const way of ways) {
      const root = `${folder}.making-${process.pid}-${way}`;
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await MAKE[way](root, log);
        await keep(root, folder, await checkedVersion(join(root, "bin")), way);
        const made = await useKept([way], false);
        if (made) return made;
        throw new Error(`what was made did not stay whole in ${folder}.`);
      } catch (error) {
        const reason = (error as Error).message;
        log(`No engine by way of ${way}: ${reason}`);
        refusals.push({ way, reason });
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

function inOrder(refusals: readonly Refusal[]): NoEngineError {
  return new NoEngineError([...refusals].sort((a, b) => WAYS.indexOf(a.way) - WAYS.indexOf(b.way)));
}
