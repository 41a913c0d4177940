/** The services' own role on the server. */
import type { Client } from "pg";
import { secretOf, servicesRole, type Site } from "../../../config/site.ts";
import { ensureOwnRole } from "./role-owners.ts";

/** Where backout may not create roles, an administrator has created it; the plan checks that it can log in. */
export async function ensureServicesRole(site: Site, client: Client): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(
    "SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user",
  );
  if (rows[0]?.may !== true) return;
  await ensureOwnRole(client, site, { name: servicesRole(site), login: true, password: secretOf(site, "database") });
}
