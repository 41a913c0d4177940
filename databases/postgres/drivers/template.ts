/** Snapshots as databases on the same server, made by copying files: no other tool needed, copy-on-write where the file system can. */
import type pg from "pg";
import { quote } from "../../shared/identifiers.ts";
import { makingName } from "../../../config/names.ts";
import { fixedDifferences, readProperties } from "../properties.ts";
import { databaseSizeBytes } from "../space.ts";
import { NotASnapshotError, SourceBusyError, type Restored, type SnapshotDriver } from "./driver.ts";
import { dropDatabase, makeComplete } from "./making.ts";

/** From here on copying files is faster than copying through the write-ahead log, in spite of the checkpoints it takes. */
export const FILE_COPY_FROM_BYTES = 200 * 1_048_576;

/** `admin` is a session in a database that is neither source nor target, outside a transaction. */
export function templateDriver({ admin }: { admin: pg.Client }): SnapshotDriver {
  return {
    check: async () => {
      const { rows } = await admin.query<{ may: boolean }>(
        "SELECT rolsuper OR rolcreatedb AS may FROM pg_roles WHERE rolname = current_user",
      );
      if (!rows[0]?.may) throw new Error("the administrative role may not create databases: ALTER ROLE … CREATEDB, as a superuser");
    },
    take: async (source, location) => {
      await makeComplete(admin, location, async (making) => {
        await copyDatabase(admin, source, making);
        for (const statement of pristineStatements(making)) await admin.query(statement);
      });
      return { driver: "template", location };
    },
    restoreTo: async ({ location }, database): Promise<Restored> => {
      await requirePristine(admin, location);
      await makeComplete(admin, database, async (making) => {
        await copyDatabase(admin, location, making);
        const differences = fixedDifferences(await readProperties(admin, making), await readProperties(admin, location));
        if (differences.length > 0) throw new NotASnapshotError(location, differences.join("; "));
      });
      return { database, notes: [] };
    },
    remove: async ({ location }) => {
      await dropDatabase(admin, makingName(location));
      if (!(await exists(admin, location))) return "already";
      await requirePristine(admin, location);
      return dropDatabase(admin, location);
    },
    sizeBytes: async ({ location }) => databaseSizeBytes(admin, location),
    spaceNeededBytes: async (of) => {
      const size = await databaseSizeBytes(admin, "database" in of ? of.database : of.snapshot.location);
      // Through the write-ahead log everything is written twice.
      return strategyFor(size) === "WAL_LOG" ? size * 2 : size;
    },
  };
}

function strategyFor(sizeBytes: number): "FILE_COPY" | "WAL_LOG" {
  return sizeBytes >= FILE_COPY_FROM_BYTES ? "FILE_COPY" : "WAL_LOG";
}

/** Nobody gets into the copy before somebody admits them. Strategies exist from 15 on. */
export function copyStatement(source: string, target: string, sizeBytes: number, serverVersion: number): string {
  const strategy = serverVersion >= 150_000 ? ` STRATEGY = ${strategyFor(sizeBytes)}` : "";
  return `CREATE DATABASE ${quote(target)} TEMPLATE ${quote(source)}${strategy} ALLOW_CONNECTIONS = false`;
}

/** Backout reads a pristine snapshot to compare with it; nobody else connects, and nobody writes by mistake. */
function pristineStatements(database: string): string[] {
  const alter = `ALTER DATABASE ${quote(database)}`;
  return [
    `REVOKE CONNECT ON DATABASE ${quote(database)} FROM PUBLIC`,
    `${alter} CONNECTION LIMIT 0`,
    `${alter} SET default_transaction_read_only TO on`,
    `${alter} ALLOW_CONNECTIONS true`,
  ];
}

async function copyDatabase(admin: pg.Client, source: string, target: string): Promise<void> {
  const sizeBytes = await databaseSizeBytes(admin, source);
  const { rows } = await admin.query<{ version: number }>("SELECT current_setting('server_version_num')::int AS version");
  const version = rows[0]?.version ?? 0;
  // Not known before 18, and refused where the platform cannot: then it copies.
  if (version >= 180_000) await admin.query("SET file_copy_method TO clone").catch(() => undefined);
  try {
    await admin.query(copyStatement(source, target, sizeBytes, version));
  } catch (error) {
    throw (error as { code?: string }).code === "55006" ? new SourceBusyError(source, error) : error;
  } finally {
    if (version >= 180_000) await admin.query("RESET file_copy_method").catch(() => undefined);
  }
}

async function exists(admin: pg.Client, database: string): Promise<boolean> {
  return (await admin.query("SELECT 1 FROM pg_database WHERE datname = $1", [database])).rowCount === 1;
}

/** A live database or a quarantine is never taken for a snapshot. */
async function requirePristine(admin: pg.Client, database: string): Promise<void> {
  if (!(await exists(admin, database))) throw new NotASnapshotError(`database "${database}"`, "it does not exist");
  const { connectionLimit, settings } = await readProperties(admin, database);
  const readOnly = settings.some(({ role, name, value }) => role === null && name === "default_transaction_read_only" && value === "on");
  if (connectionLimit !== 0 || !readOnly)
    throw new NotASnapshotError(`database "${database}"`, "it does not bear the marks of one (no connections, read-only)");
}
