/** The two roles of a stack in a hosted database, whose owner becomes a member of both: made where the owner may, else asked for. */
import type { Client } from "pg";
import { endpointOf, liveName, ownerRole, secretOf, servicesRole, type Site } from "../../../config/site.ts";
import { connect } from "../../postgres/connection.ts";
import { UnreachableError } from "../../shared/unreachable.ts";
import { quote } from "../../shared/identifiers.ts";
import { DriverRefusedError } from "../errors.ts";
import { ensureOwnRole } from "../../postgres/engine/role-owners.ts";

/** Makes both what they are to be. Who connects is left to the fence. */
export async function prepareRoles(client: Client, site: Site, live: string): Promise<void> {
  if (await mayMakeRoles(client)) {
    await ensureOwnRole(client, site, { name: ownerRole(site), login: false, password: secretOf(site, "database-owner") });
    await ensureOwnRole(client, site, { name: servicesRole(site), login: true, password: secretOf(site, "database") });
    for (const role of (await lacking(client, site)).membership) await client.query(`GRANT ${quote(role)} TO CURRENT_USER`);
  }
  await client.query(
    `GRANT CREATE ON DATABASE ${quote(live)} TO ${quote(ownerRole(site))}; GRANT CREATE, USAGE ON SCHEMA public TO ${quote(ownerRole(site))}`,
  );
}

/** Where this role may make none, somebody else must have made both. @throws DriverRefusedError with the statements that do */
export async function refuseRoles(client: Client, site: Site, database: string): Promise<void> {
  if (await mayMakeRoles(client)) return;
  const live = liveName(site, database);
  const { missing, membership } = await lacking(client, site);
  const makes = missing.map((role) => `CREATE ROLE ${quote(role)}${role === servicesRole(site) ? " LOGIN PASSWORD …" : ""}`);
  const grants = membership.map((role) => `GRANT ${quote(role)} TO ${quote(endpointOf(site).user)}`);
  if (makes.length + grants.length > 0)
    throw new DriverRefusedError(live, [
      `role "${endpointOf(site).user}" may make no roles and those of this stack are not ready: run \`${[...makes, ...grants].join("; ")}\` as somebody who may (the password goes into BACKOUT_SECRET_DATABASE), or ALTER ROLE ${quote(endpointOf(site).user)} CREATEROLE`,
    ]);
  const refused = await connect({ ...endpointOf(site), user: servicesRole(site), password: secretOf(site, "database") }, live).then(
    (session) => session.end().then(() => null),
    (error: unknown) => (error instanceof UnreachableError && error.code.startsWith("28") ? error : null),
  );
  if (refused !== null)
    throw new DriverRefusedError(live, [
      `role "${servicesRole(site)}" cannot log in with the secret "database": set BACKOUT_SECRET_DATABASE to its password, and see that it may log in`,
    ]);
}

async function mayMakeRoles(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    "SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user",
  );
  return rows[0]!.may;
}

/** Roles of the stack that are not there, and those that this one is no member of. */
async function lacking(client: Client, site: Site): Promise<{ missing: string[]; membership: string[] }> {
  const { rows } = await client.query<{ role: string; there: boolean; member: boolean | null }>(
    `SELECT w.role, r.oid IS NOT NULL AS there, pg_has_role(current_user, r.oid, 'MEMBER') AS member
     FROM unnest($1::text[]) WITH ORDINALITY w (role, place) LEFT JOIN pg_roles r ON r.rolname = w.role ORDER BY w.place`,
    [[ownerRole(site), servicesRole(site)]],
  );
  return {
    missing: rows.filter(({ there }) => !there).map(({ role }) => role),
    membership: rows.filter(({ member }) => member !== true).map(({ role }) => role),
  };
}
