/** What two copies of a table have in common, and so how they can be compared. */
import { isLedgerTable } from "../shared/migrations/ledgers/tables.ts";
import type { Client } from "pg";
import { STATE_SCHEMA } from "./state/schema.ts";
import { canonicalTable, formatTable, quote } from "../shared/identifiers.ts";
import { columnOf, renamedColumns } from "../shared/comparison.ts";

export interface ColumnShape {
  name: string;
  /** As the server writes it, with modifiers: `numeric(10,2)`. */
  type: string;
  /** Computed by the server from other columns; cannot be written. */
  generated: boolean;
  /** Number of the column in its table: one that was dropped and added again has another. */
  place: number;
  /** What rows written before the column was added have in it, as text. */
  missing: string | null;
  /** Its text depends on nothing but what is stored in the row. */
  stored: boolean;
  /** How its size can be asked where values may be of any; null where they are small. */
  wide: "text" | "bytea" | "other" | null;
  /** What a row has in it that nobody gave a value: `missing`, else NULL or the default, where that is a literal. SQL expressions of type text. */
  unfilled: string[];
}

export interface TableShape {
  /** As `formatTable` writes it. */
  name: string;
  schema: string;
  table: string;
  /** The table and its storage as it stands after FROM. Partitions are read through their root. */
  source: string;
  columns: ColumnShape[];
  /** Columns of the primary key in key order; empty without one. */
  primaryKey: string[];
  /** Its text may be any bytes: the database has no encoding of its own. */
  anyBytes: boolean;
  /** File the rows are in, and on which server; a new one whenever the table is written anew. Null where it tells nothing of row versions. */
  file: string | null;
}

/** A session may lack the right to read a table. */
export const READABLE = "has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')";

/** A table as it is compared, by `c` of pg_class and `n` of pg_namespace. Partitions are read through their root. */
export const IS_DATA = `c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
     AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> '${STATE_SCHEMA}'`;

const SHAPES = `
  SELECT n.nspname AS schema, c.relname AS "table", c.relkind = 'p' AS partitioned, getdatabaseencoding() = 'SQL_ASCII' AS "anyBytes",
         coalesce((SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                                                     'generated', a.attgenerated <> '', 'place', a.attnum, 'missing', a.attmissingval::text,
                                                     'wide', CASE WHEN t.typlen <> -1 THEN NULL WHEN coalesce(nullif(t.typbasetype, 0), t.oid) = 17 THEN 'bytea' WHEN t.typcategory = 'S' THEN 'text' ELSE 'other' END,
                                                     'stored', a.atttypid < 16384 AND a.attgenerated <> 'v' AND t.typname !~ '^_?reg',
                                                     'usual', (a.attmissingval::text::text[])[1], 'default', pg_get_expr(d.adbin, d.adrelid))
                                    ORDER BY a.attnum)
                     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
         coalesce((SELECT json_agg(a.attname ORDER BY k.place)
                     FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place), pg_attribute a
                    WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
                      AND a.attrelid = c.oid AND a.attnum = k.attnum), '[]') AS key,
         CASE WHEN c.relkind = 'r' AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'heap') AND pg_snapshot_xmax(pg_current_snapshot()) < '4294967296'
              THEN concat_ws('@', pg_relation_filenode(c.oid), extract(epoch FROM pg_postmaster_start_time())) END AS file
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_DATA} AND ${READABLE}
   ORDER BY n.nspname = 'public' DESC, n.nspname COLLATE "C", c.relname COLLATE "C"`;

interface ShapeRow {
  schema: string;
  table: string;
  partitioned: boolean;
  anyBytes: boolean;
  columns: (Omit<ColumnShape, "unfilled"> & { usual: string | null; default: string | null })[];
  key: string[];
  file: string | null;
}

/** Every ordinary and partitioned table of a database by its name, `public` first. */
export async function readShapes(client: Client): Promise<Map<string, TableShape>> {
  const { rows } = await client.query<ShapeRow>(SHAPES);
  return new Map(rows.map((row) => [formatTable(row), shapeOf(row)]));
}

function shapeOf(row: ShapeRow): TableShape {
  const identifier = `${quote(row.schema)}.${quote(row.table)}`;
  return {
    name: formatTable(row),
    schema: row.schema,
    table: row.table,
    source: row.partitioned ? identifier : `ONLY ${identifier}`,
    columns: row.columns.map(({ usual, default: given, ...column }) => ({ ...column, unfilled: unfilled(column, usual, given) })),
    primaryKey: row.key,
    anyBytes: row.anyBytes,
    file: row.file,
  };
}

const LITERAL = /^(?:'(?:[^']|'')*'|-?[\d.]+|true|false)(?:::[\w ."(),[\]]+)?$/;

function unfilled(column: Pick<ColumnShape, "type" | "missing">, usual: string | null, given: string | null): string[] {
  if (column.missing !== null) return [usual === null ? "NULL" : `'${usual.replaceAll("'", "''")}'`];
  return ["NULL", ...(given !== null && LITERAL.test(given) ? [`(${given})::${column.type}::text`] : [])];
}

/** How one table is compared; `base` or `current` is null where the table exists on one side only. */
export interface TablePlan {
  name: string;
  base: TableShape | null;
  current: TableShape | null;
  by: "primary key" | "multiset";
  /** Columns that tell which rows belong together, as the current side calls them; empty for a multiset. */
  key: string[];
  /** Columns both sides have, as the current side calls them. */
  compared: string[];
  /** Columns of the current side alone: a row is another one where a value was filled in. */
  newColumns: string[];
  droppedColumns: string[];
  /** Of the base side's name of a column the current side's, where they differ. */
  renamedColumns: Record<string, string>;
  /** Columns compared by text although their type differs. */
  retypedColumns: string[];
  /** Whether equal row versions (place in the file, transaction that wrote it) are equal rows: see `sharesVersions`. */
  versions: boolean;
  /** Some row of a side is too large to be exported as it is: large values are compared by their digest. */
  large: boolean;
  /** Values travel as bytes: see `asBytes`. */
  anyBytes: boolean;
}

/**
 * Rows are matched by primary key when both sides have the same one, else counted as a multiset of whole rows. A column that was added counts
 * where it has a value that is neither its default nor what it was added with, so that adding it marks no row as updated; a column that was renamed
 * is the same column.
 */
export function planTable(base: TableShape | null, current: TableShape | null): TablePlan {
  const one = current ?? base;
  if (one === null) throw new TypeError("a table that neither side has cannot be compared");
  const [was, is] = [base ?? one, current ?? one];
  const renamed = renamedColumns(was, is);
  const baseTypes = new Map(was.columns.map((column) => [renamed.get(column.name) ?? column.name, column.type]));
  const currentTypes = new Map(is.columns.map((column) => [column.name, column.type]));
  const compared = [...baseTypes.keys()].filter((column) => currentTypes.has(column));
  const key = sameKey(
    was.primaryKey.map((column) => renamed.get(column) ?? column),
    is.primaryKey,
  );
  const plan = {
    name: one.name,
    base,
    current,
    by: key.length > 0 ? ("primary key" as const) : ("multiset" as const),
    key,
    compared,
    newColumns: [...currentTypes.keys()].filter((column) => !baseTypes.has(column)),
    droppedColumns: [...baseTypes.keys()].filter((column) => !currentTypes.has(column)),
    renamedColumns: Object.fromEntries(renamed),
    retypedColumns: compared.filter((column) => baseTypes.get(column) !== currentTypes.get(column)),
    versions: false,
    large: false,
    anyBytes: was.anyBytes || is.anyBytes,
  };
  return { ...plan, versions: base !== null && current !== null && key.length > 0 && sharesVersions(plan, base, current) };
}

/**
 * A copy made page by page has its rows where the original has them, and one server gives out the number of a transaction once: under one key,
 * the same place and the same transaction are the same row. Where these numbers have come round once, where a column was dropped and added again, or
 * where the text of a value depends on more than the row (an enum's labels), content alone tells; where the table was written anew, every place
 * has changed, and content tells sooner.
 */
function sharesVersions(plan: TablePlan, base: TableShape, current: TableShape): boolean {
  if (base.file === null || base.file !== current.file) return false;
  return plan.compared.every((name) => {
    const was = base.columns.find((column) => column.name === columnOf(plan, base, name))!;
    const is = current.columns.find((column) => column.name === name)!;
    return was.stored && is.stored && was.place === is.place && was.type === is.type && was.missing === is.missing;
  });
}

function sameKey(base: string[], current: string[]): string[] {
  return base.length === current.length && base.every((column) => current.includes(column)) ? base : [];
}

/**
 * Plans for the named tables, or for every table of either side except the ledger of migrations. A definition names the tables of every
 * release, so one that neither side has (yet) is `absent`, not an error.
 */
export function planTables(
  base: Map<string, TableShape>,
  current: Map<string, TableShape>,
  tables?: readonly string[],
): {
  plans: TablePlan[];
  absent: string[];
} {
  const known = [...new Set([...current.keys(), ...base.keys()])];
  const isLedger = (table: string): boolean =>
    isLedgerTable(
      table,
      (current.get(table) ?? base.get(table))?.columns.map(({ name }) => name),
    );
  const wanted = [...new Set(tables?.map(canonicalTable) ?? known.filter((table) => !isLedger(table)))];
  const exists = (table: string) => base.has(table) || current.has(table);
  return {
    plans: wanted.filter(exists).map((table) => planTable(base.get(table) ?? null, current.get(table) ?? null)),
    absent: wanted.filter((table) => !exists(table)),
  };
}
