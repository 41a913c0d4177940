/** What is in a live database, in figures and names: read from the catalogues, with no lock on any table. Touches nothing. */
import type { Client } from "pg";
import type { FoundDatabase, FoundLedger } from "../shared/adoption.ts";
import { migrationsOf } from "../shared/migrations/of-definition.ts";
import { tableNameSql } from "../shared/identifiers.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { endpointOf, liveName, servicesRole } from "../../config/site.ts";
import type { InspectContext } from "../engine.ts";
import { APPLICATION_NAME, withSession } from "./connection.ts";
import { STATE_SCHEMA } from "./state/schema.ts";
import { detectLedger, ledgerIn } from "./migrations/detect.ts";
import { readLedger } from "./migrations/run.ts";
import { inspect } from "./inspection.ts";
import { ownerOfTables } from "./roles.ts";

const SESSIONS = `
  SELECT coalesce(application_name, '') AS application, coalesce(usename, '?')::text AS role, count(*)::int AS count FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name IS DISTINCT FROM $1
  GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`;

const EXTENSIONS = `
  SELECT e.extname::text AS name, e.extversion AS version, n.nspname::text AS schema
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY 1`;

const SIZE = `
  SELECT d.datname::text AS live, pg_get_userbyid(d.datdba)::text AS owner, pg_database_size(d.oid)::float8 AS "sizeBytes"
  FROM pg_database d WHERE d.datname = current_database()`;

const GRANTS = `
  SELECT r.rolname::text AS grantee, array_agg(DISTINCT a.privilege_type::text ORDER BY a.privilege_type::text) AS privileges
  FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
  WHERE d.datname = current_database() AND (a.grantee = 0 OR r.oid IS NOT NULL) GROUP BY r.rolname ORDER BY r.rolname NULLS FIRST`;

type Contents = Pick<FoundDatabase, "live" | "sizeBytes" | "owner" | "tables" | "grants" | "sessions" | "extensions">;

/** @param client a session in the database */
async function contentsOf(client: Client): Promise<Contents> {
  const rows = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    (await client.query<Row>(sql, values)).rows;
  const { tables } = await inspect(client);
  return {
    ...(await rows<Pick<Contents, "live" | "owner" | "sizeBytes">>(SIZE))[0]!,
    tables,
    grants: await rows(GRANTS),
    sessions: await rows(SESSIONS, [APPLICATION_NAME]),
    extensions: await rows(EXTENSIONS),
  };
}

/** Every ledger of migrations that is there, the system's own first. */
async function ledgersOf(client: Client, definition: SystemDefinition, database: string): Promise<FoundLedger[]> {
  const own = await ledgerIn(client, definition, database);
  const others = (await detectLedger(client)).map(({ ledger }) => ledger).filter((name) => name !== own);
  const found: FoundLedger[] = [];
  for (const name of [own, ...new Set(others)]) {
    const { states, head } = await readLedger(client, name, name === own ? migrationsOf(definition, database, own) : []);
    const applied = states.filter(({ status }) => ["applied", "modified", "unknown"].includes(status)).length;
    found.push({ name, declared: name === own, head, applied });
  }
  return found;
}

const POLICIES = `
  SELECT ${tableNameSql("n.nspname", "c.relname")} AS name,
    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND 0 = ANY (p.polroles)) AS everybody
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relrowsecurity AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`;

const ELSEWHERE = `
  SELECT ${tableNameSql("n.nspname", "c.relname")} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('public', 'pg_catalog', 'information_schema', 'pg_toast', $1)
    AND n.nspname !~ '^pg_temp_' AND n.nspname NOT LIKE 'supabase\\_migrations'
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e') ORDER BY 1`;

const OTHER_OWNERS = `
  SELECT pg_get_userbyid(c.relowner)::text AS owner, count(*)::int AS count FROM pg_class c
  WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p') AND pg_get_userbyid(c.relowner) <> $1
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e') GROUP BY 1 ORDER BY 1`;

/** How many names a sentence lists. */
const NAMED = 5;

const listed = (names: readonly string[]): string =>
  names.length > NAMED ? `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more` : names.join(", ");

/** What a program finds otherwise when it connects as the services' role. @param stateSchema backout's own schema */
async function notesFor(client: Client, role: string, stateSchema: string): Promise<string[]> {
  const notes: string[] = [];
  const { rows: guarded } = await client.query<{ name: string; everybody: boolean }>(POLICIES);
  const hidden = guarded.filter(({ everybody }) => !everybody).map(({ name }) => name);
  if (hidden.length > 0)
    notes.push(
      `row level security: no policy of ${listed(hidden)} is for everybody, so role ${role} sees no row of ${hidden.length === 1 ? "it" : "them"}: ` +
        "add a policy for it, or let the services keep a role of their own (backout:server.admits)",
    );
  const { rows: elsewhere } = await client.query<{ name: string }>(ELSEWHERE, [stateSchema]);
  if (elsewhere.length > 0)
    notes.push(
      `role ${role} gets rights in schema public only, none on ${listed(elsewhere.map(({ name }) => name))}: grant them, or let the services keep a role of their own (backout:server.admits)`,
    );
  const main = await ownerOfTables(client);
  const { rows: owners } = await client.query<{ owner: string; count: number }>(OTHER_OWNERS, [main]);
  for (const { owner, count } of owners)
    notes.push(`${count} table(s) in schema public belong to ${owner} and not to ${main ?? "?"}: migrations run as ${main ?? "?"}`);
  return notes;
}

/** What is in the live database and around it. @param limitsOf what the driver cannot do there, one sentence each */
export async function foundIn(
  { site, definition }: InspectContext,
  database: string,
  limitsOf: (client: Client) => Promise<string[]>,
): Promise<FoundDatabase> {
  const endpoint = endpointOf(site);
  return withSession(
    endpoint,
    liveName(site, database),
    async (client) => ({
      ...(await contentsOf(client)),
      place: `${endpoint.host}:${endpoint.port}`,
      ledgers: await ledgersOf(client, definition, database),
      limits: await limitsOf(client),
      notes: await notesFor(client, servicesRole(site), STATE_SCHEMA),
    }),
    { readOnly: true },
  );
}
