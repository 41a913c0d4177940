/** Sessions in a live database, and the control database's own. */
import type { Client } from "pg";
import type { ControlRecord } from "../../../config/record.ts";
import { ControlStore } from "../state/store.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { connect } from "../connection.ts";
import { sessionInside } from "../fence.ts";
import { readProperties } from "../properties.ts";
import { postgresSession } from "../sql-session.ts";
import type { LiveSession, Looking } from "../../engine.ts";

/** The session in the control database: renames, catalogue and lineage share its transactions. */
export function clientOf(control: ControlRecord): Client {
  if (!(control instanceof ControlStore))
    throw new Error("a PostgreSQL database has its control database beside it: backout:server is missing");
  return control.client;
}

export async function openLive({ site, control }: Looking, database: string, fenced: boolean | "as it is"): Promise<LiveSession> {
  const live = liveName(site, database);
  const client =
    control !== null && (fenced === "as it is" ? !(await readProperties(clientOf(control), live)).allowConnections : fenced)
      ? await sessionInside(endpointOf(site), clientOf(control), live)
      : await connect(endpointOf(site), live);
  return { session: postgresSession(client), end: () => client.end().catch(() => undefined) };
}
