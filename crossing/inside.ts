/** Sessions of the neutral kind: in a live database, from inside the fence where it stands, and in a snapshot. */
import { DatabaseSync } from "node:sqlite";
import { endpointOf, liveFile, liveName } from "../declared/site.ts";
import type { Snapshot } from "../control/store.ts";
import { connect } from "../postgres/connection.ts";
import { sessionInside } from "../postgres/fence.ts";
import { readProperties } from "../postgres/properties.ts";
import { postgresSession } from "../postgres/sql-session.ts";
import { sqliteSession } from "../sqlite/sql-session.ts";
import type { SqlSession } from "../systems/sql-session.ts";
import { withCopy } from "./arming.ts";
import type { Run } from "./run.ts";

/** Waits for whoever is in the middle of a transaction. */
const BUSY_MS = 10_000;

export interface LiveSession {
  session: SqlSession;
  end: () => Promise<void>;
}

/** A session in the live database, whether connections to it are refused or not. Whoever opened it ends it. */
export async function openLive(run: Run, database: string): Promise<LiveSession> {
  if (run.definition.databases[database]?.engine === "sqlite") return openFile(liveFile(run.site, database), false);
  const live = liveName(run.site, database);
  const { allowConnections } = await readProperties(run.control.client, live);
  const client = allowConnections
    ? await connect(endpointOf(run.site), live)
    : await sessionInside(endpointOf(run.site), run.control.client, live);
  return { session: postgresSession(client), end: () => client.end().catch(() => undefined) };
}

export async function inLive<T>(run: Run, database: string, work: (session: SqlSession) => Promise<T>): Promise<T> {
  const { session, end } = await openLive(run, database);
  return work(session).finally(end);
}

/** Runs `work` in a snapshot, for reading. */
export async function inSnapshot<T>(run: Run, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T> {
  if (run.definition.databases[snapshot.database]?.engine !== "sqlite")
    return withCopy(run, snapshot, (client) => work(postgresSession(client)));
  const { session, end } = openFile(snapshot.location, true);
  return work(session).finally(end);
}

function openFile(file: string, readOnly: boolean): LiveSession {
  const database = new DatabaseSync(file, { readOnly, timeout: BUSY_MS });
  return { session: sqliteSession(database), end: async () => Promise.resolve(database.close()) };
}
