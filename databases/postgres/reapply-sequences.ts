/** Rows with keys of their own leave sequences behind, and the first write afterwards would fail. */
import type { Client } from "pg";
import type { SequenceMoves } from "../shared/sequences.ts";
import { qualified, quote, tableNameSql } from "../shared/identifiers.ts";

export interface SequenceMove {
  sequence: string;
  /** Next value is the one after (or, counting downwards, before) this. */
  value: string;
}

const SEQUENCES = `
  SELECT DISTINCT quote_ident(sn.nspname) || '.' || quote_ident(s.relname) AS sequence,
         quote_ident(tn.nspname) || '.' || quote_ident(t.relname) AS "table", a.attname AS column, q.seqincrement > 0 AS upwards
    FROM (SELECT d.objid AS sequence, d.refobjid AS "table", d.refobjsubid AS attnum FROM pg_depend d
           WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
          UNION
          SELECT d.refobjid, f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
           WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass) u
         JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
         JOIN pg_sequence q ON q.seqrelid = s.oid
         JOIN pg_class t ON t.oid = u."table" JOIN pg_namespace tn ON tn.oid = t.relnamespace
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attnum
   WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND t.relkind IN ('r', 'p') AND NOT t.relispartition
     AND ($1::text[] IS NULL OR ${tableNameSql("tn.nspname", "t.relname")} = ANY ($1))
   ORDER BY 1, 2, 3`;

interface Used {
  sequence: string;
  table: string;
  column: string;
  upwards: boolean;
}

/**
 * Moves every sequence that feeds a column of the tables (default: of all tables) past the column's furthest value, never back. A value
 * beyond the sequence's own limit moves it to that limit. Not undone by a rollback, which does no harm.
 */
export async function advanceSequences(client: Client, tables?: readonly string[]): Promise<SequenceMove[]> {
  const { rows } = await client.query<Used>(SEQUENCES, [tables === undefined ? null : [...tables]]);
  const moved: SequenceMove[] = [];
  for (const used of rows) {
    const result = await client.query<{ value: string }>(advanceSql(used), [used.sequence]);
    if (result.rows[0] !== undefined) moved.push({ sequence: used.sequence, value: result.rows[0].value });
  }
  return moved;
}

/** One statement, so that hardly any time passes between looking and moving. */
function advanceSql({ sequence, table, column, upwards }: Used): string {
  const [furthest, limited, beyond] = upwards ? ["max", "least(u.value, q.seqmax)", ">"] : ["min", "greatest(u.value, q.seqmin)", "<"];
  return `SELECT setval($1::regclass, ${limited})::text AS value
            FROM (SELECT ${furthest}(${quote(column)})::int8 AS value FROM ${table}) u, ${sequence} s, pg_sequence q
           WHERE q.seqrelid = $1::regclass AND u.value IS NOT NULL
             AND (${limited} ${beyond} s.last_value OR (${limited} = s.last_value AND NOT s.is_called))`;
}

/** `$1` sequence, `$2` value. One that begins anew by itself is where it is. */
const RESUME = `
  SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sequence, setval(c.oid::regclass, x.value)::text AS value
    FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (SELECT greatest(q.seqmin, least(q.seqmax, $2::int8)) AS value, CASE WHEN has_sequence_privilege(c.oid, 'SELECT') THEN pg_sequence_last_value(c.oid) END AS last) x
   WHERE c.oid = to_regclass($1) AND NOT q.seqcycle AND has_sequence_privilege(c.oid, 'SELECT') AND has_sequence_privilege(c.oid, 'UPDATE')
     AND CASE WHEN q.seqincrement > 0 THEN x.value > coalesce(x.last, q.seqstart::numeric - 1) ELSE x.value < coalesce(x.last, q.seqstart::numeric + 1) END`;

/** Moves sequences to the last value they gave, never back: a number that was given once, whatever became of it, is not given again. */
export async function resumeSequences(client: Client, moves: SequenceMoves): Promise<SequenceMove[]> {
  const moved: SequenceMove[] = [];
  for (const [name, { current }] of Object.entries(moves))
    if (current !== null) moved.push(...(await client.query<SequenceMove>(RESUME, [qualified(name), current])).rows);
  return moved;
}
