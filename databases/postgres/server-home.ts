/** Where an embedded server's files are and what marks them as ours. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Runner } from "../../processes/run-as.ts";
import { isLock } from "./server-lock.ts";
import { MARKER, POINTER, type Layout, layoutOf, locate } from "../../config/server-home.ts";

/** Written when a server home is made; what proves that a folder may be deleted. */
export interface Marker {
  format: 1;
  home: string;
  superuser: string;
  version: string;
  port: number;
}

/** The folder holds something that backout did not put there. */
export class NotAServerHomeError extends Error {
  readonly folder: string;
  constructor(folder: string) {
    super(`${folder} is not a server home made by backout (it holds no ${MARKER}): nothing was touched; name an empty or absent folder`);
    this.name = "NotAServerHomeError";
    this.folder = folder;
  }
}

export function readMarker(folder: string): Marker | null {
  const path = join(folder, MARKER);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Marker) : null;
}

/**
 * Makes the folders, owned by the server's user, and marks them.
 * @throws NotAServerHomeError when something else is in there.
 */
export function claimHome(home: string, runner: Runner | null, marker: Marker): Layout {
  const absolute = resolve(home);
  const folder = locate(home, runner);
  const made = readMarker(folder);
  if (made === null && existsSync(folder) && readdirSync(folder).some((name) => !isLock(name))) throw new NotAServerHomeError(folder);
  mkdirSync(absolute, { recursive: true });
  if (folder !== absolute) {
    mkdirSync(dirname(folder), { recursive: true });
    chmodSync(dirname(folder), 0o755);
    mkdirSync(folder, { recursive: true });
    writeWhole(join(absolute, POINTER), JSON.stringify({ folder }) + "\n", 0o644);
  }
  const layout = layoutOf(folder);
  writeWhole(layout.marker, JSON.stringify(marker, null, 2) + "\n", 0o644);
  if (runner) chownSync(folder, runner.uid, runner.gid);
  if (!existsSync(layout.log)) writeFileSync(layout.log, "", { mode: 0o600 });
  if (runner) chownSync(layout.log, runner.uid, runner.gid);
  return layout;
}

/** Deletes a server home; the server must be stopped. */
export function eraseHome(home: string, runner: Runner | null): void {
  const absolute = resolve(home);
  const folder = locate(home, runner);
  if (!existsSync(folder) && !existsSync(absolute)) return;
  if (existsSync(folder) && readMarker(folder) === null) throw new NotAServerHomeError(folder);
  rmSync(folder, { recursive: true, force: true });
  if (absolute !== folder) {
    rmSync(join(absolute, POINTER), { force: true });
    if (existsSync(absolute) && readdirSync(absolute).every(isLock)) rmSync(absolute, { recursive: true, force: true });
  }
}

export function writeWhole(path: string, text: string, mode: number): void {
  const making = `${path}.making-${process.pid}`;
  writeFileSync(making, text, { mode });
  renameSync(making, path);
}

export function isFolder(path: string): boolean {
  return existsSync(path) && lstatSync(path).isDirectory();
}
