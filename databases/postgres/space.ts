/** Disk space, looked at before anything is copied: a full disk in the middle of a copy stops the whole server, and keeps it from starting. */
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import type { Endpoint } from "../../config/endpoint.ts";
import { freeAt, judgeSpace, type FreeSpace, type SpaceVerdict } from "../../processes/disk-space.ts";
import { DatabaseMissingError } from "./properties.ts";

export * from "../../processes/disk-space.ts";

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

/** Looks and decides. @throws InsufficientSpaceError */
export async function requireSpace(client: pg.Client, endpoint: Pick<Endpoint, "host">, sizeBytes: number): Promise<SpaceVerdict> {
  return judgeSpace(await freeSpace(client, endpoint), sizeBytes);
}

export async function databaseSizeBytes(client: pg.Client, database: string): Promise<number> {
  const { rows } = await client.query<{ size: string }>("SELECT pg_database_size(oid)::text AS size FROM pg_database WHERE datname = $1", [
    database,
  ]);
  if (rows[0] === undefined) throw new DatabaseMissingError(database);
  return Number(rows[0].size);
}
