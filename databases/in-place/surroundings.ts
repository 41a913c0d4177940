/** What a dump of the system's own schemas does not hold and a restore needs: grants, triggers on others' tables, what others provide. */
import type { Client } from "pg";
import type { Extent } from "./extent.ts";
import { readDefaultPrivileges, readSchemas, type DefaultPrivileges, type SchemaFacts } from "./grants.ts";
import { amongOwn, hangingObjects } from "./objects.ts";

/** A trigger on a table of somebody else's that calls a function of ours. */
export interface ForeignTrigger {
  oid: number;
  name: string;
  table: string;
  definition: string;
}

export interface EventTrigger {
  oid: number;
  name: string;
  /** `CREATE EVENT TRIGGER …` and what sets when it fires. */
  statements: string[];
}

export interface Surroundings {
  grants: SchemaFacts[];
  defaults: DefaultPrivileges[];
  triggers: ForeignTrigger[];
  /** Those that call a function of ours. */
  eventTriggers: EventTrigger[];
  /** Roles that own or hold something. */
  roles: string[];
  /** Who owns what lies in a schema: they must be allowed to make things there. */
  owners: { schema: string; owner: string }[];
  /** Extensions that something of ours needs. */
  extensions: { name: string; schema: string }[];
  /** Foreign servers of our foreign tables. */
  servers: string[];
  /** Publications of ours with tables of ours. */
  publications: string[];
  /** Tables that extensions brought, as catalog and OID: their rows stay. */
  extensionTables: string[];
  /** Views and functions that need a foreign table or a relation of others, likewise: they cannot be made elsewhere. */
  unreadable: string[];
  /** OIDs of large objects. */
  largeObjects: number[];
  /** What reading the rows elsewhere takes of others': functions by their definitions. */
  functions: { schema: string; definition: string }[];
  /** Columns whose type lies in somebody else's schema: their rows cannot be read elsewhere. */
  foreignTypes: string[];
}

/** Reads the catalog. */
export async function readSurroundings(client: Client, { schemas }: Extent): Promise<Surroundings> {
  const names = async (query: string): Promise<string[]> =>
    (await amongOwn<{ name: string }>(client, schemas, query)).map(({ name }) => name);
  return {
    grants: await readSchemas(client, schemas),
    defaults: await readDefaultPrivileges(client),
    triggers: await readForeignTriggers(client, schemas),
    eventTriggers: await readEventTriggers(client, schemas),
    roles: await names(
      `SELECT DISTINCT r.rolname AS name FROM owned w JOIN pg_shdepend s ON s.classid = w.classid AND s.objid = w.objid AND s.refclassid = 'pg_authid'::regclass
       JOIN pg_database b ON b.oid = s.dbid AND b.datname = current_database() JOIN pg_roles r ON r.oid = s.refobjid ORDER BY 1`,
    ),
    owners: await amongOwn(
      client,
      schemas,
      `SELECT DISTINCT n.nspname AS schema, pg_get_userbyid(r.owner) AS owner FROM roots r JOIN named o ON o.classid = r.classid AND o.objid = r.objid
       JOIN pg_namespace n ON n.oid = o.namespace WHERE r.owner IS NOT NULL AND r.owner <> n.nspowner ORDER BY 1, 2`,
    ),
    extensions: await amongOwn(
      client,
      schemas,
      `SELECT DISTINCT e.extname AS name, n.nspname AS schema FROM owned w JOIN pg_depend d ON d.classid = w.classid AND d.objid = w.objid
       JOIN pg_depend m ON m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e'
       JOIN pg_extension e ON e.oid = m.refobjid JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY 1`,
    ),
    servers: await names(
      `SELECT DISTINCT s.srvname AS name FROM roots r JOIN pg_foreign_table f ON r.classid = 'pg_class'::regclass AND f.ftrelid = r.objid
       JOIN pg_foreign_server s ON s.oid = f.ftserver ORDER BY 1`,
    ),
    publications: await names(
      `SELECT DISTINCT p.pubname AS name FROM roots r JOIN pg_publication_rel x ON r.classid = 'pg_class'::regclass AND x.prrelid = r.objid
       JOIN pg_publication p ON p.oid = x.prpubid ORDER BY 1`,
    ),
    extensionTables: (await client.query<{ object: string }>(EXTENSION_TABLES)).rows.map(({ object }) => object),
    unreadable: (await client.query<{ object: string }>(UNREADABLE, [schemas])).rows.map(({ object }) => object),
    largeObjects: (await client.query<{ oid: number }>("SELECT oid FROM pg_largeobject_metadata ORDER BY oid")).rows.map(({ oid }) => oid),
    functions: await amongOwn(
      client,
      schemas,
      `SELECT DISTINCT n.nspname AS schema, pg_get_functiondef(p.oid) AS definition FROM owned w
       JOIN pg_depend d ON d.classid = w.classid AND d.objid = w.objid AND d.refclassid = 'pg_proc'::regclass
       JOIN pg_proc p ON p.oid = d.refobjid AND p.prokind = 'f' JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (n.nspname = ANY ($1::text[]))
         AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e') ORDER BY 1, 2`,
    ),
    foreignTypes: await names(
      `SELECT DISTINCT format('%s.%s (%s)', a.attrelid::regclass, a.attname, format_type(a.atttypid, NULL)) AS name
       FROM roots r JOIN pg_class c ON r.classid = 'pg_class'::regclass AND c.oid = r.objid AND c.relkind IN ('r', 'p')
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
       JOIN pg_namespace n ON n.oid = t.typnamespace
       WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (n.nspname = ANY ($1::text[]))
         AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid IN (t.oid, t.typelem) AND e.deptype = 'e') ORDER BY 1`,
    ),
  };
}

const EXTENSION_TABLES = `SELECT DISTINCT format('%s %s', classid, objid) AS object FROM pg_depend
  WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_extension'::regclass AND deptype = 'e'`;

/** `$1`: the system's own schemas. */
const UNREADABLE = `
  WITH RECURSIVE needing AS (
    SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (c.relkind = 'f' OR (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (n.nspname = ANY ($1::text[]))))
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
    UNION
    SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END, coalesce(w.ev_class, d.objid)
    FROM needing x JOIN pg_depend d ON d.refclassid = x.classid AND d.refobjid = x.objid AND d.deptype = 'n'
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)
  ) SELECT DISTINCT format('%s %s', classid, objid) AS object FROM needing`;

async function readForeignTriggers(client: Client, schemas: readonly string[]): Promise<ForeignTrigger[]> {
  const hanging = (await hangingObjects(client, schemas)).filter(({ catalog }) => catalog === "pg_trigger").map(({ oid }) => oid);
  const { rows } = await client.query<ForeignTrigger>(
    `SELECT t.oid, t.tgname AS name, format('%I.%I', n.nspname, c.relname) AS table, pg_get_triggerdef(t.oid) AS definition
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.oid = ANY ($1) AND NOT t.tgisinternal ORDER BY 3, 2`,
    [hanging],
  );
  return rows;
}

async function readEventTriggers(client: Client, schemas: readonly string[]): Promise<EventTrigger[]> {
  const rows = await amongOwn<{ oid: number; name: string; made: string; fires: string }>(
    client,
    schemas,
    `SELECT e.oid, e.evtname AS name, format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s', e.evtname, e.evtevent,
         CASE WHEN e.evttags IS NULL THEN '' ELSE ' WHEN TAG IN (' || (SELECT string_agg(quote_literal(tag), ', ') FROM unnest(e.evttags) tag) || ')' END,
         format('%I.%I()', n.nspname, p.proname)) AS made,
       ${FIRES} AS fires
     FROM roots r JOIN pg_event_trigger e ON r.classid = 'pg_proc'::regclass AND e.evtfoid = r.objid
     JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace ORDER BY 2`,
  );
  return rows.map(({ oid, name, made, fires }) => ({ oid, name, statements: [made, fires] }));
}

/** The statement that says when an event trigger fires. */
const FIRES =
  "format('ALTER EVENT TRIGGER %I %s', e.evtname, CASE e.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END)";

/** Switches every event trigger off, and on again those that are there still: only a superuser may. @param going OIDs of those that go with what they call */
export async function silencingStatements(client: Client, going: readonly number[]): Promise<{ before: string[]; after: string[] }> {
  const { rows } = await client.query<{ oid: number; name: string; fires: string }>(
    `SELECT e.oid, format('%I', e.evtname) AS name, ${FIRES} AS fires FROM pg_event_trigger e
     WHERE e.evtenabled <> 'D' AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) ORDER BY 2`,
  );
  return {
    before: rows.map(({ name }) => `ALTER EVENT TRIGGER ${name} DISABLE`),
    after: rows.filter(({ oid }) => !going.includes(oid)).map(({ fires }) => fires),
  };
}
