/** Sessions in a live database, and the state database's own. */
import type { Client } from "pg";
import type { StateStore } from "../../../config/record.ts";
import { PostgresState } from "../state/store.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { connect } from "../connection.ts";
import { sessionInside } from "../fence.ts";
import { readProperties } from "../properties.ts";
import { postgresSession } from "../sql-session.ts";
import type { LiveSession, InspectContext } from "../../engine.ts";

/** The session in the state database: renames, catalogue and lineage share its transactions. */
export function clientOf(state: StateStore): Client {
  if (!(state instanceof PostgresState))
    throw new Error("a PostgreSQL database has its state database beside it: backout:server is missing");
  return state.client;
}

export async function openLive({ site, state }: InspectContext, database: string, fenced: boolean | "as it is"): Promise<LiveSession> {
  const live = liveName(site, database);
  const client =
    state !== null && (fenced === "as it is" ? !(await readProperties(clientOf(state), live)).allowConnections : fenced)
      ? await sessionInside(endpointOf(site), clientOf(state), live)
      : await connect(endpointOf(site), live);
  return { session: postgresSession(client), end: () => client.end().catch(() => undefined) };
}

export async function openToRead(at: InspectContext, database: string): Promise<LiveSession> {
  return openLive(at, database, false);
}
