/** Where the files of a SQLite database lie: the live one, its copies on the same file system, its snapshots at home. */
import { basename, dirname, join } from "node:path";
import { fileCatalogue } from "../state/file-catalogue.ts";
import { SqliteState } from "../state/file.ts";
import type { StateStore } from "../../../config/record.ts";
import { liveFile, type Site } from "../../../config/site.ts";
import { realPath } from "../identity.ts";
import type { DatabaseSync } from "node:sqlite";

/** The state file's own session: catalogue, lineage and begun swaps are in it. */
export function fileOf(state: StateStore): DatabaseSync {
  if (!(state instanceof SqliteState))
    throw new Error("a system with SQLite files and PostgreSQL databases at once is not supported: one stack for each");
  return state.db;
}

export function livePath(site: Site, database: string): string {
  return realPath(liveFile(site, database));
}

/** Beside the live file, so that a rename is enough. */
export function copiesFolder(site: Site, database: string): string {
  const live = livePath(site, database);
  return join(dirname(live), `.${basename(live)}.backout`);
}

export function copyPath(site: Site, database: string, name: string): string {
  return join(copiesFolder(site, database), `${name}.db`);
}

/** Path of a copy the catalogue has under this name. @throws where it has none */
export function pathOfCopy(state: StateStore, oid: number): string {
  const entry = fileCatalogue.entries(fileOf(state)).find((one) => one.oid === oid);
  if (entry === undefined) throw new Error(`the copy ${oid} is gone`);
  return entry.path;
}
