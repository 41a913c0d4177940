/** Disk space, looked at before anything is copied: a full disk in the middle of a copy stops the whole server, and keeps it from starting. */
import { statSync } from "node:fs";
import { readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import type { Endpoint } from "./connection.ts";
import { DatabaseMissingError } from "./properties.ts";

export type FreeSpace = { known: true; freeBytes: number; path: string } | { known: false; reason: string };

export interface SpaceVerdict {
  /** `unknown`: the server is not on this machine; look there. */
  status: "enough" | "unknown";
  neededBytes: number;
  /** `null` where unknown. */
  freeBytes: number | null;
  /** In words, with figures. */
  detail: string;
}

/** There is not enough room for a copy. Nothing was changed. */
export class InsufficientSpaceError extends Error {
  readonly path: string;
  readonly neededBytes: number;
  readonly freeBytes: number;
  constructor(path: string, neededBytes: number, freeBytes: number) {
    super(
      `not enough space at ${path}: ${inMegabytes(neededBytes)} needed with margin, ${inMegabytes(freeBytes)} free. ` +
        "Nothing was copied. Free space, or drop snapshots that are no longer needed",
    );
    this.name = "InsufficientSpaceError";
    this.path = path;
    this.neededBytes = neededBytes;
    this.freeBytes = freeBytes;
  }
}

/** How much more than the bare size must be free: others write meanwhile, and the write-ahead log grows. */
export const SPACE_MARGIN = 1.3;

/** Free space of the file system of the server's data directory. */
export async function freeSpace(client: pg.Client, endpoint: Pick<Endpoint, "host">): Promise<FreeSpace> {
  if (!isLocal(endpoint.host))
    return { known: false, reason: `the server is on ${endpoint.host}: its free space cannot be seen from here` };
  try {
    const { rows } = await client.query<{ path: string; started: number }>(
      "SELECT current_setting('data_directory') AS path, floor(extract(epoch FROM pg_postmaster_start_time()))::float8 AS started",
    );
    const { path, started } = rows[0] as { path: string; started: number };
    if (!(await isItsFolder(path, started))) return { known: false, reason: `the server's folder ${path} is not on this machine` };
    return await freeAt(path);
  } catch (error) {
    return { known: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Free space for an ordinary user of the file system that holds `path`. */
export async function freeAt(path: string): Promise<FreeSpace> {
  const { bavail, bsize } = await statfs(path);
  return { known: true, freeBytes: bavail * bsize, path };
}

function isLocal(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.") || host.startsWith("/");
}

/** A forwarded port looks local too, and the folder inside a container may exist outside by chance. */
async function isItsFolder(path: string, started: number): Promise<boolean> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false;
  try {
    const written = Number((await readFile(join(path, "postmaster.pid"), "utf8")).split("\n")[2]);
    return Math.abs(written - started) <= 5;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** Decides. @throws InsufficientSpaceError */
export function judgeSpace(free: FreeSpace, sizeBytes: number, margin: number = SPACE_MARGIN): SpaceVerdict {
  const neededBytes = Math.ceil(sizeBytes * margin);
  if (!free.known) {
    return {
      status: "unknown",
      neededBytes,
      freeBytes: null,
      detail: `${inMegabytes(neededBytes)} needed; free space is unknown: ${free.reason}`,
    };
  }
  if (free.freeBytes < neededBytes) throw new InsufficientSpaceError(free.path, neededBytes, free.freeBytes);
  return {
    status: "enough",
    neededBytes,
    freeBytes: free.freeBytes,
    detail: `${inMegabytes(neededBytes)} needed, ${inMegabytes(free.freeBytes)} free`,
  };
}

/** Looks and decides. @throws InsufficientSpaceError */
export async function requireSpace(
  client: pg.Client,
  endpoint: Pick<Endpoint, "host">,
  sizeBytes: number,
  margin?: number,
): Promise<SpaceVerdict> {
  return judgeSpace(await freeSpace(client, endpoint), sizeBytes, margin);
}

export async function databaseSizeBytes(client: pg.Client, database: string): Promise<number> {
  const { rows } = await client.query<{ size: string }>("SELECT pg_database_size(oid)::text AS size FROM pg_database WHERE datname = $1", [
    database,
  ]);
  if (rows[0] === undefined) throw new DatabaseMissingError(database);
  return Number(rows[0].size);
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
