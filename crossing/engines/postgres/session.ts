/** Sessions in a live database, and the control database's own. */
import type { Client } from "pg";
import type { ControlRecord } from "../../../control/record.ts";
import { ControlStore } from "../../../control/store.ts";
import { endpointOf, liveName } from "../../../declared/site.ts";
import { connect } from "../../../postgres/connection.ts";
import { sessionInside } from "../../../postgres/fence.ts";
import { readProperties } from "../../../postgres/properties.ts";
import { postgresSession } from "../../../postgres/sql-session.ts";
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
