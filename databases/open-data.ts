/** Administrative sessions in the live databases of a stack, opened when first asked for. */
import type { DatabaseSync } from "node:sqlite";
import type { Client } from "pg";
import { endpointOf, liveFile, liveName, type Site } from "../config/site.ts";
import type { DataAccess, ViolationQuery } from "../config/system/check.ts";
import type { SchemaObjects } from "../config/system/schema-objects.ts";
import type { SqlSession } from "../config/system/sql-session.ts";

export type OpenData = DataAccess & { end: () => Promise<void> };

/** @param readOnly sessions whose transactions refuse to write. */
export function openData(site: Site, { readOnly = false }: { readOnly?: boolean } = {}): OpenData {
  const sessions = new Map<string, Promise<Client>>();
  const files = new Map<string, DatabaseSync>();
  return {
    database: (name) => {
      const known = sessions.get(name) ?? session(site, name, readOnly);
      sessions.set(name, known);
      return known;
    },
    sqlite: (name) => {
      const known = files.get(name) ?? file(site, name, readOnly);
      files.set(name, known);
      return known;
    },
    end: async () => {
      for (const file of files.values()) file.close();
      for (const session of sessions.values()) await session.then((client) => client.end()).catch(() => undefined);
    },
  };
}

async function session(site: Site, name: string, readOnly: boolean): Promise<Client> {
  const { connect } = await import("./postgres/connection.ts");
  const client = await connect(endpointOf(site), liveName(site, name));
  if (readOnly) await client.query("SET default_transaction_read_only = on");
  return client;
}

/** Loaded only where there is a file: it takes a while, and says that it is experimental. */
function file(site: Site, name: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  return new DatabaseSync(liveFile(site, name), { timeout: 5000, readOnly });
}

/** A session of the neutral kind over an access that is open. */
export async function sessionOf(access: DataAccess, name: string, engine: SqlSession["engine"]): Promise<SqlSession> {
  if (engine === "sqlite") return (await import("./sqlite/sql-session.ts")).sqliteSession(access.sqlite(name));
  return (await import("./postgres/sql-session.ts")).postgresSession(await access.database(name));
}

/** Recorded objects of a PostgreSQL database that are not there now, one line each. */
export async function missingObjects(access: DataAccess, name: string, recorded: SchemaObjects): Promise<string[]> {
  const { objectDifferences, readObjects } = await import("./postgres/schema-objects.ts");
  const kinds = Object.keys(recorded) as (keyof SchemaObjects)[];
  return objectDifferences(recorded, await readObjects(await access.database(name)), kinds, { exact: false });
}

/** Rows of a check's SQL file, in a session or process of its own that ends with it. */
export async function violationsOf(site: Site, query: ViolationQuery): Promise<Record<string, unknown>[]> {
  if (query.engine === "sqlite") return (await import("./sqlite/violations.ts")).violationsIn(liveFile(site, query.database), query);
  return (await import("./postgres/violations.ts")).violationsIn(endpointOf(site), liveName(site, query.database), query);
}
