/**
 * Tenant A must not read, or write as, tenant B: tried with every role that may log in and reaches the tickets, and through the
 * application.
 */
import type { Client } from "pg";
import { check, failed, passed, skipped } from "../../rollout/verification/outcome.ts";
import { DATABASE, listTickets, login, PHASE_1_TABLES, PHASE_2_TABLES, type Tenant } from "./api.ts";

const OTHER: Record<Tenant, Tenant> = { north: "south", south: "north" };
const TENANTS = Object.keys(OTHER) as Tenant[];

export const rlsIsolation = check("rls-isolation", "Tenant A cannot read or write tenant B's rows", async (context) => {
  const database = await context.database(DATABASE);
  const roles = await namesOf(database, ROLES);
  if (roles.length === 0) return skipped("no login role can access service_tickets, so the test has no role");
  const tables = await namesOf(database, TENANT_TABLES, [[...PHASE_1_TABLES, ...PHASE_2_TABLES]]);
  for (const role of roles)
    for (const tenant of TENANTS) {
      const wrong = await asRole(database, role, tenant, (session) => tryTenant(session, tables, tenant));
      if (wrong !== null) return failed(`role ${role} as tenant ${tenant}: ${wrong}`);
    }
  const outside = await throughTheApplication(context);
  if (outside !== null) return failed(outside);
  return passed(`${tables.length} tables tried as ${roles.join(", ")} for ${TENANTS.join(" and ")}, and through the application`);
});

/** Roles that the policies apply to: neither the owner nor a role that bypasses policies. */
const ROLES = `SELECT r.rolname AS name FROM pg_roles r, pg_class c WHERE c.oid = to_regclass('public.service_tickets') AND r.rolcanlogin AND NOT r.rolsuper
    AND r.oid <> c.relowner AND has_table_privilege(r.oid, c.oid, 'SELECT') AND pg_has_role(current_user, r.oid, 'MEMBER')
    AND NOT pg_has_role(r.oid, c.relowner, 'MEMBER') ORDER BY 1`;

const TENANT_TABLES = `SELECT name FROM unnest($1::text[]) AS name WHERE EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.' || name) AND attname = 'tenant_id' AND NOT attisdropped)`;

async function namesOf(database: Client, sql: string, values: unknown[] = []): Promise<string[]> {
  return (await database.query<{ name: string }>(sql, values)).rows.map(({ name }) => name);
}

/** Everything in here is rolled back. */
async function asRole<T>(database: Client, role: string, tenant: Tenant, work: (session: Client) => Promise<T>): Promise<T> {
  await database.query("BEGIN");
  try {
    await database.query(
      "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('row_security', 'on', true)",
      [role, JSON.stringify({ sub: "verification", tenant_id: tenant })],
    );
    return await work(database);
  } finally {
    await database.query("ROLLBACK");
  }
}

async function tryTenant(session: Client, tables: readonly string[], tenant: Tenant): Promise<string | null> {
  for (const table of tables) {
    // Who may read a single table, as a report does, reads nothing of the others.
    const { rows: privilege } = await session.query<{ may: boolean }>("SELECT has_table_privilege($1, 'SELECT') AS may", [table]);
    if (privilege[0]?.may !== true) continue;
    const { rows } = await session.query<{ rows: number }>(`SELECT count(*)::float8 AS rows FROM ${table} WHERE tenant_id <> $1`, [tenant]);
    if (rows[0]!.rows > 0) return `reads ${rows[0]!.rows} rows of other tenants in ${table}`;
  }
  // With an explicit id, so no number of the sequence is used.
  await session.query("SAVEPOINT attempt");
  const refused = await session.query("INSERT INTO customers (id, tenant_id, name) VALUES (-1, $1, 'not allowed')", [OTHER[tenant]]).then(
    () => null,
    (error: { code?: string }) => error.code ?? "",
  );
  await session.query("ROLLBACK TO SAVEPOINT attempt");
  // A read-only session is refused before any policy applies: then writing is not tested.
  if (refused !== "42501" && refused !== "25006") return `may write a row of tenant ${OTHER[tenant]} (${refused ?? "accepted"})`;
  await session.query("SELECT set_config('request.jwt.claims', '', true)");
  const { rows } = await session.query<{ rows: number }>("SELECT count(*)::float8 AS rows FROM service_tickets");
  return rows[0]!.rows > 0 ? `reads ${rows[0]!.rows} tickets without any claim` : null;
}

async function throughTheApplication(context: Parameters<typeof login>[0]): Promise<string | null> {
  for (const tenant of TENANTS) {
    const foreign = (await listTickets(context, await login(context, tenant))).filter((ticket) => ticket.tenant !== tenant);
    if (foreign.length > 0)
      return `the application shows tenant ${tenant} ${foreign.length} tickets of others, ${foreign[0]!.ticketNumber} for one`;
  }
  return null;
}
