/** What is wrong inside a PostgreSQL database whatever system it belongs to: orphans, sequences behind, stale materialised views. Only reads. */
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";

const SYSTEM_SCHEMAS = "('pg_catalog', 'information_schema')";

interface ForeignKey {
  name: string;
  child: string;
  parent: string;
  columns: string[];
  references: string[];
}

/** By every foreign key there is, valid or not: rows whose parent does not exist. */
export interface Orphans {
  constraint: string;
  table: string;
  rows: number;
}

const FOREIGN_KEYS = `
  SELECT k.conname AS name, k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
    (SELECT array_agg(a.attname::text ORDER BY p.place) FROM unnest(k.conkey) WITH ORDINALITY AS p(number, place)
       JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.number) AS columns,
    (SELECT array_agg(a.attname::text ORDER BY p.place) FROM unnest(k.confkey) WITH ORDINALITY AS p(number, place)
       JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.number) AS "references"
  FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 1`;

/** A constraint says "valid" also where rows came in behind its back: the rows themselves are asked. */
export async function findOrphans(client: Client): Promise<Orphans[]> {
  const { rows: keys } = await client.query<ForeignKey>(FOREIGN_KEYS);
  const found: Orphans[] = [];
  for (const key of keys) {
    const { rows } = await client.query<{ rows: number }>(orphansSql(key));
    if (rows[0]!.rows > 0) found.push({ constraint: key.name, table: key.child, rows: rows[0]!.rows });
  }
  return found;
}

/** `child` and `parent` come quoted from the server. */
function orphansSql({ child, parent, columns, references }: Omit<ForeignKey, "name">): string {
  const given = columns.map((column) => `c.${quote(column)} IS NOT NULL`).join(" AND ");
  const same = columns.map((column, index) => `p.${quote(references[index]!)} = c.${quote(column)}`).join(" AND ");
  return `SELECT count(*)::float8 AS rows FROM ${child} c WHERE ${given} AND NOT EXISTS (SELECT FROM ${parent} p WHERE ${same})`;
}

/** Sequences whose next value is taken already: the first insert would fail. In words. */
export async function sequencesBehind(client: Client): Promise<string[]> {
  const { rows: owned } = await client.query<{ sequence: string; table: string; column: string }>(
    `SELECT s.oid::regclass::text AS sequence, t.oid::regclass::text AS "table", a.attname::text AS "column"
     FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
       JOIN pg_class t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
       JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE s.relkind = 'S' AND t.relkind IN ('r', 'p') AND n.nspname NOT IN ${SYSTEM_SCHEMAS} ORDER BY 1`,
  );
  const behind: string[] = [];
  for (const { sequence, table, column } of owned) {
    const { rows } = await client.query<{ last: string | null; most: string | null }>(
      `SELECT (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM ${sequence})::text AS last, (SELECT max(${quote(column)}) FROM ${table})::text AS most`,
    );
    const { last, most } = rows[0]!;
    if (most !== null && BigInt(most) > BigInt(last ?? "0"))
      behind.push(`${sequence} stands at ${last ?? "nothing"}, ${table}.${column} has ${most}`);
  }
  return behind;
}

/** Materialised views that are not filled, or hold other rows than their query gives now. In words. */
export async function staleViews(client: Client): Promise<string[]> {
  const { rows: views } = await client.query<{ name: string; populated: boolean; definition: string }>(
    `SELECT c.oid::regclass::text AS name, c.relispopulated AS populated, rtrim(pg_get_viewdef(c.oid), ';') AS definition
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND n.nspname NOT IN ${SYSTEM_SCHEMAS} ORDER BY 1`,
  );
  const stale: string[] = [];
  for (const { name, populated, definition } of views) {
    if (!populated) {
      stale.push(`${name} is not filled`);
      continue;
    }
    const { rows } = await client.query<{ rows: number }>(
      `SELECT count(*)::float8 AS rows FROM (
         (SELECT m::text FROM (TABLE ${name}) m EXCEPT ALL SELECT q::text FROM (${definition}) q)
         UNION ALL (SELECT q::text FROM (${definition}) q EXCEPT ALL SELECT m::text FROM (TABLE ${name}) m)) differing`,
    );
    if (rows[0]!.rows > 0) stale.push(`${name} differs from its query in ${rows[0]!.rows} rows`);
  }
  return stale;
}

/** Names of all materialised views, quoted where they need it. */
async function materializedViews(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'm' AND n.nspname NOT IN ${SYSTEM_SCHEMAS} ORDER BY c.oid`,
  );
  return rows.map(({ name }) => name);
}

/** Fills every materialised view again, those that others read first. @returns their names */
export async function refreshViews(client: Client): Promise<string[]> {
  const names = await materializedViews(client);
  for (const name of names) await client.query(`REFRESH MATERIALIZED VIEW ${name}`);
  return names;
}
