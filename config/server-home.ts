/** Where an embedded server's files are. */
import { join, resolve } from "node:path";
import { type Runner, reachableBy } from "../processes/run-as.ts";
import { existsSync, readFileSync } from "node:fs";
import { createHash } from "node:crypto";

export const MARKER = "backout-server.json";

export const POINTER = "backout-server-location.json";

export interface Layout {
  /** The real location: the home itself, unless the server's user cannot access it. */
  folder: string;
  data: string;
  log: string;
  passwordFile: string;
  marker: string;
}

export function layoutOf(folder: string): Layout {
  return {
    folder,
    data: join(folder, "data"),
    log: join(folder, "server.log"),
    passwordFile: join(folder, "superuser-password"),
    marker: join(folder, MARKER),
  };
}

/** The real folder of a server home's files. */
export function locate(home: string, runner: Runner | null): string {
  const absolute = resolve(home);
  const pointer = join(absolute, POINTER);
  if (existsSync(pointer)) return (JSON.parse(readFileSync(pointer, "utf8")) as { folder: string }).folder;
  if (runner === null || existsSync(join(absolute, MARKER)) || reachableBy(runner, absolute)) return absolute;
  return join("/var/lib/backout", createHash("sha256").update(absolute).digest("hex").slice(0, 16));
}
