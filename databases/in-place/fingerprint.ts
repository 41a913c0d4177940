/** One word for the schema of the system's own part of a database: another one once anything of it, but rows, is changed. */
import type { Client } from "pg";
import type { Extent } from "./extent.ts";
import { amongOwn } from "./objects.ts";

/** Toast tables and the triggers of foreign keys have other names after every restore. */
const WORDS = `
  SELECT md5(string_agg(w.word, E'\\n' ORDER BY w.word)) AS fingerprint FROM (
    SELECT concat_ws(' ', pg_describe_object(o.classid, o.objid, 0), CASE o.classid
      WHEN 'pg_constraint'::regclass THEN pg_get_constraintdef(o.objid) WHEN 'pg_trigger'::regclass THEN pg_get_triggerdef(o.objid)
      WHEN 'pg_rewrite'::regclass THEN pg_get_ruledef(o.objid) WHEN 'pg_proc'::regclass THEN (SELECT md5(concat(p.prosrc, to_jsonb(p) ->> 'prosqlbody')) FROM pg_proc p WHERE p.oid = o.objid)
      WHEN 'pg_class'::regclass THEN (SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indexrelid = o.objid) END) AS word
    FROM owned o LEFT JOIN pg_class c ON o.classid = 'pg_class'::regclass AND c.oid = o.objid
    WHERE o.classid <> 'pg_attrdef'::regclass AND (c.oid IS NULL OR c.relnamespace <> 'pg_toast'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_trigger g WHERE o.classid = 'pg_trigger'::regclass AND g.oid = o.objid AND g.tgisinternal)
    UNION ALL
    SELECT concat_ws(' ', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
    FROM roots r JOIN pg_attribute a ON r.classid = 'pg_class'::regclass AND a.attrelid = r.objid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum) w`;

export async function schemaFingerprint(client: Client, { schemas }: Extent): Promise<string> {
  return (await amongOwn<{ fingerprint: string | null }>(client, schemas, WORDS))[0]?.fingerprint ?? "";
}
