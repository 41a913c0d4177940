/** Lets the system's own migration command into a fenced database. */
import type { Client } from "pg";
import { endpointOf, liveName } from "../../../config/site.ts";
import type { Run } from "../../../config/run.ts";
import type { ToolPlace } from "../../shared/migrations/tool.ts";
import { admit, allowConnections, endSessions } from "../fence.ts";
import { readProperties } from "../properties.ts";
import { databaseOid } from "../sessions.ts";
import { toolPlace } from "../tool-url.ts";
import { savedProperties } from "./properties-record.ts";
import { clientOf } from "./session.ts";

export interface ToolAdmission {
  /** backout's own session in the database, which stays. */
  client: Client;
  /** Role that what the command makes shall belong to. */
  owner: string;
  /** Whether the database is fenced; a new one is not. */
  closed: boolean;
}

/** Meanwhile the administrative role may connect and nobody else; afterwards its sessions are ended and connections refused again. */
export async function admitTool<T>(
  run: Run,
  database: string,
  { client, owner, closed }: ToolAdmission,
  work: (place: ToolPlace) => Promise<T>,
): Promise<T> {
  const endpoint = endpointOf(run.site);
  const live = liveName(run.site, database);
  const place = toolPlace(endpoint, live, owner);
  if (!closed) return work(place);
  const admin = clientOf(run.state);
  const saved = (await savedProperties(admin, database)) ?? (await readProperties(admin, live));
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  try {
    await admit(admin, live, "services", { servicesRole: endpoint.user, saved });
    return await work(place);
  } finally {
    await allowConnections(admin, live, false);
    await endSessions(
      admin,
      live,
      await databaseOid(admin, live),
      rows.map(({ pid }) => pid),
    );
  }
}
