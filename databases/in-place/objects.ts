/**
 * The objects of the system's own schemas, whatever their kind, from the catalog: those a restore drops and creates again, what depends on them,
 * and what of others would go with them.
 */
import type { Client } from "pg";
import pg from "pg";

/** Catalogs of objects that lie in a schema: their schema's column, their owner's, and which of their rows. */
const KINDS: [catalog: string, schema: string, owner: string, rows?: string][] = [
  ["pg_class", "relnamespace", "relowner", "relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"],
  ["pg_proc", "pronamespace", "proowner"],
  ["pg_type", "typnamespace", "typowner"],
  ["pg_collation", "collnamespace", "collowner"],
  ["pg_operator", "oprnamespace", "oprowner"],
  ["pg_opclass", "opcnamespace", "opcowner"],
  ["pg_opfamily", "opfnamespace", "opfowner"],
  ["pg_conversion", "connamespace", "conowner"],
  ["pg_ts_config", "cfgnamespace", "cfgowner"],
  ["pg_ts_dict", "dictnamespace", "dictowner"],
  ["pg_ts_parser", "prsnamespace", "NULL::oid"],
  ["pg_ts_template", "tmplnamespace", "NULL::oid"],
  ["pg_statistic_ext", "stxnamespace", "stxowner"],
];

/** What an extension brought stays with it; what is part of another object (a row's type, a range's constructor, an identity's sequence) goes with that. */
const ON_ITS_OWN = `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.objid AND d.deptype IN ('e', 'i') AND (d.refclassid, d.refobjid) <> (o.classid, o.objid))`;

/** `$1`: the schemas. Yields `roots`, the objects themselves, and `owned`: with everything that is part of one of them. */
const OWN = `
  WITH RECURSIVE named AS (
    ${KINDS.map(
      ([catalog, schema, owner, rows]) =>
        `SELECT '${catalog}'::regclass::oid AS classid, oid AS objid, ${schema} AS namespace, ${owner} AS owner FROM ${catalog}${rows === undefined ? "" : ` WHERE ${rows}`}`,
    ).join(" UNION ALL\n    ")}
  ), placed AS (
    SELECT o.classid, o.objid, o.owner FROM named o JOIN pg_namespace n ON n.oid = o.namespace WHERE n.nspname = ANY ($1::text[]) AND ${ON_ITS_OWN}
  ), roots AS (
    SELECT classid, objid, owner FROM placed
    UNION ALL
    SELECT o.classid, o.objid, NULL::oid FROM (
      SELECT DISTINCT 'pg_cast'::regclass::oid AS classid, d.objid FROM pg_depend d JOIN placed p ON p.classid = d.refclassid AND p.objid = d.refobjid
      WHERE d.classid = 'pg_cast'::regclass AND d.deptype = 'n') o WHERE ${ON_ITS_OWN}
  ), owned AS (
    SELECT classid, objid FROM roots
    UNION
    SELECT d.classid, d.objid FROM owned w JOIN pg_depend d ON d.refclassid = w.classid AND d.refobjid = w.objid WHERE d.deptype IN ('i', 'a', 'P', 'S')
  )`;

/** What depends on something of ours and is no part of it: it would go with it, or hinder its going. */
const HANGING = `${OWN}
  SELECT DISTINCT d.classid::regclass::text AS catalog, d.objid AS oid, pg_describe_object(d.classid, d.objid, 0) AS name,
    pg_describe_object(d.refclassid, d.refobjid, 0) AS on
  FROM owned w JOIN pg_depend d ON d.refclassid = w.classid AND d.refobjid = w.objid
  WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM owned o WHERE o.classid = d.classid AND o.objid = d.objid) ORDER BY 3, 4`;

export interface Hanging {
  catalog: string;
  oid: number;
  /** `trigger welcome on table auth.users` */
  name: string;
  /** Our object that it depends on. */
  on: string;
}

export async function hangingObjects(client: Client, schemas: readonly string[]): Promise<Hanging[]> {
  return (await client.query<Hanging>(HANGING, [schemas])).rows;
}

/** Objects in our schemas that belong to roles this one is no member of: they could not be created again. */
export async function foreignObjects(client: Client, schemas: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `${OWN} SELECT pg_describe_object(classid, objid, 0) AS name FROM roots
     WHERE CASE WHEN owner IS NULL THEN false ELSE NOT pg_has_role(current_user, owner, 'MEMBER') END ORDER BY 1`,
    [schemas],
  );
  return rows.map(({ name }) => name);
}

/** How many objects go: each is locked until the transaction ends. */
export async function ownedCount(client: Client, schemas: readonly string[]): Promise<number> {
  return (await client.query<{ count: number }>(`${OWN} SELECT count(*)::int AS count FROM owned`, [schemas])).rows[0]!.count;
}

/** Runs a query with `roots` and `owned` before it; `$1` is taken by the schemas. */
export async function amongOwn<Row extends object>(client: Client, schemas: readonly string[], query: string): Promise<Row[]> {
  return (await client.query<Row>(`${OWN} ${query}`, [schemas])).rows;
}

/** What first: a cast, operator or statistics object names what goes later. */
const ORDER = ["cast", "statistics object", "materialized view", "view", "table", "foreign table", "sequence"];

/**
 * The statements that take away everything a restore will bring, and everything that came since: a dump alone drops only what it knows of.
 * They belong into the restore's own transaction, where the first one looks again whether anything of others would go with ours.
 */
export async function clearStatements(client: Client, schemas: readonly string[], besides: readonly number[]): Promise<string[]> {
  const rows = await amongOwn<{ type: string; identity: string }>(
    client,
    schemas,
    "SELECT i.type, i.identity FROM roots, pg_identify_object(roots.classid, roots.objid, 0) i ORDER BY i.type, i.identity",
  );
  const place = (type: string): number => (ORDER.includes(type) ? ORDER.indexOf(type) : ORDER.length);
  const dropped = rows.toSorted((a, b) => place(a.type) - place(b.type));
  return [
    guardStatement(schemas, besides),
    ...dropped.map(({ type, identity }) => `DROP ${type === "statistics object" ? "statistics" : type} IF EXISTS ${identity} CASCADE`),
  ];
}

/** @param besides OIDs of triggers that go with our functions and are created again */
function guardStatement(schemas: readonly string[], besides: readonly number[]): string {
  const list = `ARRAY[${schemas.map((schema) => pg.escapeLiteral(schema)).join(", ")}]::text[]`;
  const found = HANGING.replaceAll("$1::text[]", list);
  const body =
    `DECLARE found text; BEGIN SELECT string_agg(h.name || ' (needs ' || h.on || ')', '; ') INTO found FROM (${found}) h ` +
    `WHERE NOT (h.oid = ANY (ARRAY[${besides.join(", ")}]::oid[])); ` +
    "IF found IS NOT NULL THEN RAISE EXCEPTION 'these belong to others and would go with what is restored: %', found; END IF; END";
  return `DO $backout$ ${body} $backout$`;
}
