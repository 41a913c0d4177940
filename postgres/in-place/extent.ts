/** Which part of a hosted database is the system's own: what is dumped, cleared and restored, and what is left alone. */
import type { Client } from "pg";
import { quote } from "../connection.ts";
import { CONTROL_SCHEMA } from "./control-schema.ts";
import { ForeignObjectsError } from "./errors.ts";

export interface Extent {
  /** `public`, and the schemas of roles this one is a member of. */
  schemas: string[];
  /** The provider's schemas, extensions' and backout's own. */
  leftAlone: string[];
}

/** Reads the catalog. @throws ForeignObjectsError */
export async function readExtent(client: Client): Promise<Extent> {
  const { rows } = await client.query<{ name: string; own: boolean }>(
    `SELECT n.nspname AS name, n.nspname <> $1 AND (n.nspname = 'public' OR pg_has_role(current_user, n.nspowner, 'MEMBER'))
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e') AS own
     FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1`,
    [CONTROL_SCHEMA],
  );
  const schemas = rows.filter(({ own }) => own).map(({ name }) => name);
  const foreign = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT pg_has_role(current_user, c.relowner, 'MEMBER') AND ${notAnExtensions("pg_class", "c.oid")}
     UNION ALL
     SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = ANY ($1) AND NOT pg_has_role(current_user, p.proowner, 'MEMBER') AND ${notAnExtensions("pg_proc", "p.oid")} ORDER BY 1`,
    [schemas],
  );
  if (foreign.rows.length > 0) throw new ForeignObjectsError(foreign.rows.map(({ name }) => name));
  return { schemas, leftAlone: [...new Set([CONTROL_SCHEMA, ...rows.filter(({ own }) => !own).map(({ name }) => name)])].sort() };
}

function notAnExtensions(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;
}

/** One row per object of `public` that a dump would bring, as the statement that takes it away. */
const OBJECTS = `
  SELECT format('DROP %s IF EXISTS %s CASCADE', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE'
      WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, format('%I.%I', n.nspname, c.relname)) AS statement,
    CASE c.relkind WHEN 'v' THEN 1 WHEN 'm' THEN 1 WHEN 'S' THEN 3 ELSE 2 END AS place
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition AND ${notAnExtensions("pg_class", "c.oid")}
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relkind = 'S' AND d.deptype = 'i')
  UNION ALL
  SELECT format('DROP %s IF EXISTS %I.%I(%s) CASCADE', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, n.nspname, p.proname,
      pg_get_function_identity_arguments(p.oid)), 4
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND ${notAnExtensions("pg_proc", "p.oid")}
  UNION ALL
  SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, t.typname), 5
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE n.nspname = 'public' AND (t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND ${notAnExtensions("pg_type", "t.oid")}`;

/**
 * The statements that take away everything a restore will bring, and everything that came since: a dump alone drops only what it knows of.
 * Before them nothing is locked; they belong into the restore's own transaction.
 */
export async function clearStatements(client: Client, { schemas }: Extent): Promise<string[]> {
  const { rows } = await client.query<{ statement: string }>(`SELECT statement FROM (${OBJECTS}) objects ORDER BY place, statement`);
  return [
    ...schemas.filter((schema) => schema !== "public").map((schema) => `DROP SCHEMA IF EXISTS ${quote(schema)} CASCADE`),
    ...rows.map(({ statement }) => statement),
  ];
}
