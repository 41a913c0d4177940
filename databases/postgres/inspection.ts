/** What is in a database that somebody else made and uses, and what of it would be in the way. Touches nothing. */
import type pg from "pg";
import { APPLICATION_NAME } from "./connection.ts";
import { detectLedger } from "./migrations/detect.ts";
import { STATE_SCHEMA } from "./state/schema.ts";

export interface Inspection {
  owner: string;
  /** Largest first. Rows are the server's own estimate. */
  tables: { name: string; rows: number }[];
  /** `user (application)`, each once, with how many. */
  sessions: string[];
  /** Tables in which known tools keep which migrations were applied. */
  ledgers: string[];
  /** What the administrative role may do here. */
  may: { superuser: boolean; createdb: boolean; createrole: boolean; asOwner: boolean };
}

const TABLES = `
  SELECT CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END AS name,
    CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE pg_stat_get_live_tuples(c.oid) END::float8 AS rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', $1)
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  ORDER BY 2 DESC, 1`;

const SESSIONS = `
  SELECT coalesce(usename, '?') || CASE coalesce(application_name, '') WHEN '' THEN '' ELSE ' (' || application_name || ')' END
    || CASE count(*) WHEN 1 THEN '' ELSE ' × ' || count(*) END AS who
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name IS DISTINCT FROM $1
  GROUP BY usename, application_name ORDER BY 1`;

const MAY = `
  SELECT pg_get_userbyid(d.datdba)::text AS owner, r.rolsuper AS superuser, r.rolcreatedb AS createdb, r.rolcreaterole AS createrole,
    pg_has_role(d.datdba, 'USAGE') AS "asOwner"
  FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`;

/** @param client a session in the database */
export async function inspect(client: pg.Client): Promise<Inspection> {
  const { rows: tables } = await client.query<{ name: string; rows: number }>(TABLES, [STATE_SCHEMA]);
  const { rows: sessions } = await client.query<{ who: string }>(SESSIONS, [APPLICATION_NAME]);
  const { rows } = await client.query<{ owner: string } & Inspection["may"]>(MAY);
  const { owner, ...may } = rows[0]!;
  const found = await detectLedger(client);
  const ledgers = found.map(({ table: { schema, name } }) => (schema === "public" ? name : `${schema}.${name}`));
  return { owner, tables, sessions: sessions.map(({ who }) => who), ledgers, may };
}

/** How many tables a sentence names. */
const NAMED = 5;

export function describeInspection({ owner, tables, sessions, ledgers }: Inspection): string {
  const named = tables.slice(0, NAMED).map(({ name, rows }) => `${name} with about ${Math.round(rows)} rows`);
  const more = tables.length > NAMED ? [`${tables.length - NAMED} more`] : [];
  return [
    `it belongs to ${owner}`,
    tables.length === 0 ? "has no tables" : `has ${tables.length} table(s): ${[...named, ...more].join(", ")}`,
    sessions.length === 0 ? "nobody is in it now" : `in it now: ${sessions.join(", ")}`,
    ledgers.length === 0 ? "no ledger of migrations was found" : `ledger of migrations: ${ledgers.join(", ")}`,
  ].join("; ");
}

export interface EventTrigger {
  name: string;
  function: string;
}

/** Event triggers that are on. */
async function eventTriggers(client: pg.Client): Promise<EventTrigger[]> {
  const { rows } = await client.query<EventTrigger>(
    "SELECT evtname AS name, evtfoid::regproc::text AS function FROM pg_event_trigger WHERE evtenabled IN ('O', 'A') ORDER BY evtname",
  );
  return rows;
}

/** Why event triggers refuse what an update does with objects; null where they do not. Tried in a transaction that is rolled back. */
export async function refusedByTriggers(client: pg.Client): Promise<{ triggers: EventTrigger[]; reason: string } | null> {
  const triggers = await eventTriggers(client);
  if (triggers.length === 0) return null;
  await client.query("BEGIN");
  try {
    await client.query(
      `CREATE SCHEMA backout_trial; CREATE TABLE backout_trial.tried (id int); ALTER TABLE backout_trial.tried ADD COLUMN note text;
       GRANT SELECT ON backout_trial.tried TO PUBLIC; DROP TABLE backout_trial.tried; DROP SCHEMA backout_trial`,
    );
    return null;
  } catch (error) {
    return { triggers, reason: (error as Error).message };
  } finally {
    await client.query("ROLLBACK");
  }
}

/** What follows a database into quarantine; programs that rely on it lose it. */
export interface Followers {
  /** Logical slots nobody reads from now. */
  slots: { name: string; plugin: string }[];
  publications: Publication[];
}

export interface Publication {
  name: string;
  /** With their schemas. */
  tables: string[];
}

/** @param client a session in the database */
export async function followers(client: pg.Client): Promise<Followers> {
  const { rows: slots } = await client.query<{ name: string; plugin: string }>(
    "SELECT slot_name::text AS name, plugin::text FROM pg_replication_slots WHERE database = current_database() AND NOT active ORDER BY 1",
  );
  return { slots, publications: await publications(client) };
}

export async function publications(client: pg.Client): Promise<Publication[]> {
  const { rows } = await client.query<Publication>(
    `SELECT p.pubname::text AS name, coalesce(array_agg(t.schemaname || '.' || t.tablename ORDER BY t.schemaname, t.tablename) FILTER (WHERE t.tablename IS NOT NULL), '{}') AS tables
     FROM pg_publication p LEFT JOIN pg_publication_tables t USING (pubname) GROUP BY 1 ORDER BY 1`,
  );
  return rows;
}

/** What of these publications the others lack, in words. */
export function lacking(those: readonly Publication[], others: readonly Publication[]): string[] {
  return those.flatMap(({ name, tables }) => {
    const other = others.find((each) => each.name === name);
    if (other === undefined) return [`publication "${name}"`];
    const missing = tables.filter((table) => !other.tables.includes(table));
    return missing.length === 0 ? [] : [`${missing.join(", ")} in publication "${name}"`];
  });
}
