/** Databases and roles of others on the same server: reported before they are used, recorded, and given back. */
import type { Client } from "pg";
import { catalogued, liveLineage } from "../state/catalogue.ts";
import { commandOf } from "../../../config/commands.ts";
import { foundKey, givenBackKey } from "../../../state/adoption.ts";
import { requireOwn } from "../../../state/identity.ts";
import type { StateStore } from "../../../config/record.ts";
import { PostgresState } from "../state/store.ts";
import { stateDatabase, endpointOf, liveName, ownerRole, rolesOf, servicesRole, type Site } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { quote } from "../../shared/identifiers.ts";
import { UnreachableError } from "../../shared/unreachable.ts";
import { describeInspection, inspect, refusedByTriggers, type Inspection } from "../inspection.ts";
import { applyProperties, readProperties, sameGrants, type DatabaseProperties } from "../properties.ts";
import { dropRole, grantConnect, grantServicesOnce, ownerOfObjects, ownerOfTables, revokeSchema, revokeServices } from "../roles.ts";
import type { InspectContext } from "../../engine.ts";
import type { DatabasePlan } from "../../../config/plan.ts";
import { rolesOfOthers, unmarkRoles } from "./role-owners.ts";
import { savedProperties } from "./properties-record.ts";
import { ensureServicesRole } from "./roles.ts";
import { clientOf } from "./session.ts";

/** Whether the live database was made or taken over by this stack. */
async function isKnown(state: StateStore, database: string, live: string): Promise<boolean> {
  return (await state.kept(foundKey(database))) !== null || (await isOwn(state, database, live));
}

async function isOwn(state: StateStore, database: string, live: string): Promise<boolean> {
  if ((await state.kept(givenBackKey(database))) !== null) return false;
  if ((await state.lastOpenRollout()) !== null) return true;
  const { oid } = await liveLineage(clientOf(state), live);
  return (await catalogued(clientOf(state))).some((entry) => entry.role === "live" && entry.oid === oid);
}

/** Why a live database, or a role that is to be let into it, is not this stack's to work with. @throws ForeignStackError */
/** @param inPlace the data is replaced where it stands: by statements in the live database, in roles that somebody else may have made */
export async function foreign(
  at: InspectContext,
  database: string,
  plan: DatabasePlan,
  applied: readonly string[],
  inPlace = false,
): Promise<string[]> {
  const { site, state } = at;
  const live = liveName(site, database);
  const known = state !== null && (await isKnown(state, database, live));
  const reasons = [...(await missingRoles(at, database)), ...(await rolesOfOthers(site))];
  if (plan.action.kind === "create") return reasons;
  if (!known) await requireNobodys(at, live);
  const changesObjects = !known || plan.up.length > 0 || (plan.back.length > 0 && plan.backBy !== "keep") || inPlace;
  if (!changesObjects) return reasons;
  await withSession(endpointOf(site), live, async (client) => {
    const found = known ? null : await inspect(client);
    // An empty database needs no adoption.
    if (found !== null && found.tables.length > 0) reasons.push(...adoption(site, live, found, plan, applied, inPlace));
    const refused = await refusedByTriggers(client);
    if (refused !== null) {
      const names = refused.triggers.map(({ name, function: of }) => `"${name}" (${of})`).join(", ");
      reasons.push(
        `event trigger ${names} of "${live}" refuses what the update does there: ${refused.reason}; ` +
          `ALTER EVENT TRIGGER … DISABLE for as long as the update takes, or let its function pass ${endpointOf(site).user}`,
      );
    }
  }).catch((error: unknown) => {
    // Closed by a fence that still stands.
    if (!(error instanceof UnreachableError) || !["55000", "42501"].includes(error.code)) throw error;
  });
  return reasons;
}

/** Statements that give the administrative role what it lacks to work with a database. */
export function rightsNeeded(user: string, { owner, may }: Pick<Inspection, "owner" | "may">, inPlace: boolean): string[] {
  const { superuser, createdb, createrole, asOwner } = may;
  return [
    ...(superuser || asOwner ? [] : [`GRANT "${owner}" TO "${user}"`]),
    ...(superuser || createrole || inPlace ? [] : [`ALTER ROLE "${user}" CREATEROLE`]),
    ...(superuser || createdb || inPlace ? [] : [`ALTER ROLE "${user}" CREATEDB`]),
  ];
}

function adoption(site: Site, live: string, found: Inspection, plan: DatabasePlan, applied: readonly string[], inPlace: boolean): string[] {
  const { user } = endpointOf(site);
  const needs = rightsNeeded(user, found, inPlace);
  const missing = needs.length === 0 ? "" : `; ${user} still needs: ${needs.join("; ")}`;
  if (site.adopt !== true)
    return [
      `database "${live}" was not made by this stack: ${describeInspection(found)}. Nothing was touched. To take it over as it is, run \`${adoptCommand(site)}\`, which sets backout:adopt: true and stops nothing: ` +
        `owner, grants and settings stay, and a role ${servicesRole(site)} is made that reads and writes its rows${missing}`,
    ];
  const reasons = needs.length === 0 ? [] : [`database "${live}" cannot be taken over yet${missing}`];
  if (applied.length === 0 && plan.up.length > 0)
    reasons.push(
      `${plan.up.join(", ")} would run on database "${live}", which has tables and no record of any of them: \`${adoptCommand(site, " --baseline <newest migration that is in it>")}\` records what is there already, and runs nothing`,
    );
  return reasons;
}

function adoptCommand({ project, stack }: Site, more = ""): string {
  return commandOf(project, "backout", `adopt --stack ${stack}${more}`);
}

/** @throws ForeignStackError where another stack's record knows the database as its own live one */
async function requireNobodys({ site, definition }: InspectContext, live: string): Promise<void> {
  const endpoint = endpointOf(site);
  const { oid, records } = await withSession(endpoint, "postgres", async (client) => {
    const { rows } = await client.query<{ name: string }>("SELECT datname AS name FROM pg_database WHERE datname LIKE '%\\_backout'");
    const found = await client.query<{ oid: string }>("SELECT oid::bigint AS oid FROM pg_database WHERE datname = $1", [live]);
    return { records: rows.map(({ name }) => name), oid: Number(found.rows[0]?.oid) };
  });
  const inside = await PostgresState.openInside(endpoint, live).catch(() => null);
  if (inside !== null) await requireOwn(inside, site).finally(() => inside.end());
  for (const name of records) {
    if (name === stateDatabase(site, definition)) continue;
    const other = await PostgresState.open(endpoint, name).catch(() => null);
    try {
      if (other !== null && (await other.catalogued()).some((entry) => entry.role === "live" && entry.oid === oid))
        await requireOwn(other, site);
    } finally {
      await other?.end();
    }
  }
}

/** Why roles that are to be let into a database cannot be: they do not exist, or may not log in. */
async function missingRoles({ site, definition }: InspectContext, database: string): Promise<string[]> {
  const declared = [
    ...(site.server?.admits ?? []).map((role) => ({ role, key: "backout:server.admits", used: false })),
    ...rolesOf(definition).flatMap(({ service, role, databases }) =>
      databases.includes(database) ? [{ role, key: `definition.services.${service}.databaseRole`, used: true }] : [],
    ),
  ];
  if (declared.length === 0) return [];
  return withSession(endpointOf(site), "postgres", async (client) => {
    const { rows } = await client.query<{ name: string; login: boolean }>(
      "SELECT rolname AS name, rolcanlogin AS login FROM pg_roles WHERE rolname = ANY ($1)",
      [declared.map(({ role }) => role)],
    );
    return declared.flatMap(({ role, key, used }) => {
      const found = rows.find(({ name }) => name === role);
      if (found === undefined)
        return [
          `${key}: there is no role "${role}" on the server${used ? `: create it (CREATE ROLE ${quote(role)} LOGIN PASSWORD …), or correct the name` : ""}`,
        ];
      return used && !found.login ? [`${key}: the role "${role}" may not log in: ALTER ROLE ${quote(role)} LOGIN`] : [];
    });
  });
}

/** What is kept as the users' of a live database. One that is found is taken over: its services' role comes to it, and everything else stays. */
export async function takenOver(
  site: Site,
  state: StateStore,
  database: string,
  properties: DatabaseProperties,
): Promise<DatabaseProperties> {
  const live = liveName(site, database);
  const client = clientOf(state);
  // What was found may have been kept by a run that was killed before it let the services in.
  if (await isOwn(state, database, live)) return properties;
  await state.keepFirst(foundKey(database), properties);
  await ensureServicesRole(site, client);
  await withSession(endpointOf(site), live, async (inside) => {
    const grant = { database: live, role: servicesRole(site) };
    if (!isOpenToAll(properties)) await grantConnect(inside, grant);
    const owner = await ownerOfTables(inside);
    // Without tables there is nothing to grant yet: the role that creates the first one grants it.
    if (owner !== null) await grantServicesOnce(inside, { ...grant, owner }, { connect: false });
  });
  await state.forget(givenBackKey(database));
  return readProperties(client, live);
}

function isOpenToAll({ grants }: DatabaseProperties): boolean {
  return grants.some(({ grantee, privileges }) => grantee === null && privileges.includes("CONNECT"));
}

/** The live database as its users have it: open, with their owner, limit and grants; of one that was found, without what backout gave its own roles. */
export async function giveBack(at: InspectContext & { state: StateStore }, database: string): Promise<void> {
  await giveBackLive(at, database);
  await unmarkRoles(clientOf(at.state), at.site);
}

async function giveBackLive({ site, state }: InspectContext & { state: StateStore }, database: string): Promise<void> {
  const client: Client = clientOf(state);
  const live = liveName(site, database);
  if (!(await liveLineage(client, live)).exists) return;
  const current = await readProperties(client, live);
  const saved = await savedProperties(client, database);
  const last = await state.lastRollout();
  const isOpen = current.allowConnections && (last === null || last.state === "open" || last.state === "refused");
  const theirs = isOpen || saved === null ? current : saved;
  const found = await state.kept<DatabaseProperties>(foundKey(database));
  const own = found === null ? [] : [servicesRole(site), ownerRole(site)];
  const grants = theirs.grants.filter(({ grantee }) => grantee === null || !own.includes(grantee));
  const acl = found !== null && sameGrants(grants, found.grants) ? found.acl : found === null ? theirs.acl : undefined;
  const { owner, connectionLimit } = theirs;
  await applyProperties(client, live, { ...current, owner, connectionLimit, grants, acl, allowConnections: true });
  if (found === null) return;
  await withSession(endpointOf(site), live, async (inside) => {
    await revokeServices(inside, { database: live, owner: await ownerOfObjects(inside), role: servicesRole(site) });
    await revokeSchema(inside, ownerRole(site));
  });
  for (const role of own) await dropRole(client, role);
  await state.keep(givenBackKey(database), true);
  await state.forget(foundKey(database));
}
