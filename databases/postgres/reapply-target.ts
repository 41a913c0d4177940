/** What the live database can hold of an export: its tables, their keys, and the values they can hold. */
import type { Client } from "pg";
import type { ExportedTable } from "./export.ts";
import { readShapes, type TableShape } from "./comparison-shape.ts";
import { quote, tableNameSql } from "../shared/identifiers.ts";
import type { ReferenceKey, UniqueKey } from "../shared/reapply/decide.ts";
import { renamesFor, tableUnder, type Renames } from "../shared/reapply/renames.ts";
import { parentsFirst } from "../shared/reapply/result.ts";

/** A table of the live database as the rows of an export meet it. */
export interface Target {
  name: string;
  shape: TableShape;
  /** `"schema"."table"`, quoted. */
  identifier: string;
  /** Columns the export and the live table share and that can be written. */
  held: string[];
  /** Columns that the export calls otherwise. */
  renames: Renames;
  /** Columns of the export the live table lacks; their values stay in the export. */
  notHeld: string[];
  /** Columns of the live table the export lacks. */
  defaulted: string[];
  /** Empty where rows were exported as a multiset. */
  key: string[];
  /** Type of the exported column, where the live one may not hold every value of it. */
  retyped: Map<string, { from: string; to: string }>;
  /** Columns whose value only the server may give, unless a statement overrides it. */
  identities: string[];
  uniques: LiveUnique[];
  /** Conditions a row has to meet, by constraint. */
  checks: { name: string; expression: string }[];
  required: string[];
  /** Constraints that compare rows otherwise than by equality. */
  exclusions: { name: string; columns: string[] }[];
}

export interface LiveUnique extends UniqueKey {
  /** `"schema"."index"`, quoted. */
  index: string;
  /** Of the constraint; null where it is an index alone. */
  constraint: string | null;
  deferrable: boolean;
  /** A foreign key refers to it. */
  referredTo: boolean;
}

export interface LiveReference extends ReferenceKey {
  name: string;
  /** `"schema"."table"` that has it, quoted. */
  table: string;
  deferrable: boolean;
  deferred: boolean;
}

export interface LiveSchema {
  targets: Map<string, Target>;
  /** Exported tables the live database cannot hold. */
  without: string[];
  /** Targets, parents before children. */
  order: string[];
  references: LiveReference[];
}

const columnsOf = (numbers: string, table: string): string =>
  `(SELECT json_agg(a.attname ORDER BY x.place) FROM unnest(${numbers}) WITH ORDINALITY x(attnum, place) JOIN pg_attribute a ON a.attrelid = ${table} AND a.attnum = x.attnum)`;

/** Those that a newer server does not enforce say so in their row. */
const FOREIGN_KEYS = `
  SELECT k.conname AS name, ${tableNameSql("cn.nspname", "c.relname")} AS child, ${tableNameSql("pn.nspname", "p.relname")} AS parent,
         quote_ident(cn.nspname) || '.' || quote_ident(c.relname) AS "table",
         CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END || quote_ident(cn.nspname) || '.' || quote_ident(c.relname) AS "childLive",
         CASE WHEN p.relkind = 'p' THEN '' ELSE 'ONLY ' END || quote_ident(pn.nspname) || '.' || quote_ident(p.relname) AS "parentLive",
         k.confdeltype <> 'a' AS acts, coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) AS period, k.condeferrable AS deferrable, k.condeferred AS deferred,
         ${columnsOf("k.conkey", "k.conrelid")} AS columns, ${columnsOf("k.confkey", "k.confrelid")} AS references
    FROM pg_constraint k
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
         JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE k.contype = 'f' AND k.conparentid = 0 AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
   ORDER BY 2, 1`;

interface ForeignKey {
  name: string;
  child: string;
  parent: string;
  table: string;
  childLive: string;
  parentLive: string;
  acts: boolean;
  /** A time is covered by several rows of the parent: equality does not tell. */
  period: boolean;
  deferrable: boolean;
  deferred: boolean;
  columns: string[];
  references: string[];
}

const RULES = `
  SELECT ${tableNameSql("n.nspname", "c.relname")} AS name,
         coalesce((SELECT json_agg(json_build_object('name', x.relname, 'index', quote_ident(n.nspname) || '.' || quote_ident(x.relname),
                     'keys', (SELECT json_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) FROM generate_series(1, i.indnkeyatts) k),
                     'where', pg_get_expr(i.indpred, i.indrelid), 'nullsEqual', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
                     'constraint', u.conname, 'deferrable', NOT i.indimmediate,
                     'referredTo', EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = i.indexrelid)) ORDER BY x.relname)
                     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_constraint u ON u.conindid = i.indexrelid AND u.contype IN ('p', 'u')
                    WHERE i.indrelid = c.oid AND i.indisunique AND NOT i.indisexclusion), '[]') AS uniques,
         coalesce((SELECT json_agg(json_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, k.conrelid)) ORDER BY k.conname)
                     FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)), '[]') AS checks,
         coalesce((SELECT json_agg(json_build_object('name', k.conname, 'columns', ${columnsOf("k.conkey", "k.conrelid")}) ORDER BY k.conname)
                     FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid AND i.indisexclusion WHERE k.conrelid = c.oid AND k.contype <> 'f'), '[]') AS exclusions,
         coalesce((SELECT json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull), '[]') AS required,
         coalesce((SELECT json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> ''), '[]') AS identities
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${tableNameSql("n.nspname", "c.relname")} = ANY ($1)`;

type Rules = Pick<Target, "name" | "uniques" | "checks" | "exclusions" | "required" | "identities">;

export async function readLiveSchema(live: Client, exported: Record<string, ExportedTable>): Promise<LiveSchema> {
  const shapes = await readShapes(live);
  const { rows: keys } = await live.query<ForeignKey>(FOREIGN_KEYS);
  const { rows: rules } = await live.query<Rules>(RULES, [Object.keys(exported)]);
  const targets = new Map<string, Target>();
  for (const rule of rules) {
    const target = targetOf(rule, exported[rule.name]!, shapes.get(rule.name));
    if (target !== null) targets.set(rule.name, target);
  }
  const without = Object.keys(exported).filter((name) => !targets.has(name));
  return {
    targets,
    without,
    order: parentsFirst([...targets.keys()], keys),
    references: keys.filter(({ period }) => !period).map(referenceOf),
  };
}

function referenceOf({ name, child, parent, table, childLive, parentLive, acts, deferrable, deferred, columns, references }: ForeignKey) {
  return {
    name,
    table,
    child: { name: child, live: childLive },
    parent: { name: parent, live: parentLive },
    columns,
    references,
    actsOnDelete: acts,
    deferrable,
    deferred,
  };
}

/** A staged row has every column of its table twice, and a few more. */
const MOST_COLUMNS = 780;

/** Null where the live database has no such table, not its key columns, or none of its columns. */
function targetOf(rules: Rules, table: ExportedTable, shape: TableShape | undefined): Target | null {
  if (shape === undefined || shape.columns.length > MOST_COLUMNS) return null;
  const renames = renamesFor(table.renamedColumns, new Set(shape.columns.map(({ name }) => name)));
  const exported = tableUnder(table, renames);
  const types = new Map(shape.columns.map(({ name, type }) => [name, type]));
  if (!exported.key.every((column) => types.has(column))) return null;
  const writable = new Map(shape.columns.filter(({ generated }) => !generated).map((column) => [column.name, column]));
  const held = exported.columns.filter((column) => writable.has(column.name));
  if (held.length === 0) return null;
  const known = new Set(exported.columns.map(({ name }) => name));
  return {
    ...rules,
    shape,
    identifier: `${quote(shape.schema)}.${quote(shape.table)}`,
    held: held.map((column) => column.name),
    renames,
    notHeld: exported.columns.map((column) => column.name).filter((column) => !types.has(column)),
    defaulted: [...writable.keys()].filter((column) => !known.has(column)),
    key: exported.key,
    // Of a type of somebody's own the name does not say what it holds: a newer release may have given it more values.
    retyped: new Map(
      held
        .filter((column) => writable.get(column.name)!.type !== column.type || !writable.get(column.name)!.stored)
        .map((column) => [column.name, { from: column.type, to: writable.get(column.name)!.type }]),
    ),
  };
}
