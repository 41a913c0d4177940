import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ENGINE_VERSION } from "./version.ts";

/** Where engines are kept: `BACKOUT_ENGINE_CACHE`, else `backout/engine` in the user's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env["BACKOUT_ENGINE_CACHE"]) return resolve(env["BACKOUT_ENGINE_CACHE"]);
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "backout", "engine");
}

/** The folder of the one engine that fits this release of backout and this machine. */
export function engineFolder(): string {
  return join(cacheFolder(), `${ENGINE_VERSION}-${process.platform}-${process.arch}`);
}

/** Where Node keeps what it compiled, so that verbs, program and provider are loaded in half the time. */
export function compileCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheFolder(env), "node");
}
