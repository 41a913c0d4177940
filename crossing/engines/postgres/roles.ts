/** The components' own role on the server. */
import type { Client } from "pg";
import { secretOf, servicesRole, type Site } from "../../../declared/site.ts";
import { ensureRole } from "../../../postgres/roles.ts";

export async function ensureServices(site: Site, client: Client): Promise<void> {
  await ensureRole(client, { name: servicesRole(site), login: true, password: secretOf(site, "database") });
}
