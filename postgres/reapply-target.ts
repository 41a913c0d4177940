/** What the live database can take back: its tables, their order, and the values they can hold. */
import type { Client } from "pg";
import type { ExportedTable } from "./export.ts";
import { readShapes, type TableShape } from "./comparison-shape.ts";
import { quote, tableNameSql } from "./identifiers.ts";
import { parentsFirst } from "./reapply-passes.ts";

/** A table of the live database as the rows of an export meet it. */
export interface Target {
  name: string;
  shape: TableShape;
  /** `"schema"."table"`, quoted. */
  identifier: string;
  /** Columns the export and the live table share and that can be written. */
  held: string[];
  /** Columns of the export the live table lacks; their values stay in the export. */
  notHeld: string[];
  /** Empty where rows were exported as a multiset. */
  key: string[];
  /** Held columns whose type was another one in the exported table. */
  retyped: Map<string, { from: string; to: string }>;
  /** Foreign keys of other tables that a delete would make the server follow. */
  followers: Follower[];
}

export interface Follower {
  /** `"schema"."table"`, quoted. */
  child: string;
  columns: string[];
  references: string[];
}

/** Null where the live database has no such table or not its key columns. */
export function targetOf(name: string, exported: ExportedTable, shape: TableShape | undefined, followers: Follower[]): Target | null {
  if (shape === undefined) return null;
  const writable = new Map(shape.columns.filter(({ generated }) => !generated).map(({ name: column, type }) => [column, type]));
  if (!exported.key.every((column) => writable.has(column))) return null;
  const generated = new Set(shape.columns.filter((column) => column.generated).map((column) => column.name));
  const held = exported.columns.filter((column) => writable.has(column.name));
  return {
    name,
    shape,
    identifier: `${quote(shape.schema)}.${quote(shape.table)}`,
    held: held.map((column) => column.name),
    notHeld: exported.columns.map((column) => column.name).filter((column) => !writable.has(column) && !generated.has(column)),
    key: exported.key,
    retyped: new Map(
      held
        .filter((column) => writable.get(column.name) !== column.type)
        .map((column) => [column.name, { from: column.type, to: writable.get(column.name)! }]),
    ),
    followers,
  };
}

const FOREIGN_KEYS = `
  SELECT ${tableNameSql("cn.nspname", "c.relname")} AS child,
         ${tableNameSql("pn.nspname", "p.relname")} AS parent,
         quote_ident(cn.nspname) || '.' || quote_ident(c.relname) AS identifier,
         k.confdeltype IN ('c', 'n', 'd') AS follows,
         (SELECT json_agg(a.attname ORDER BY x.place) FROM unnest(k.conkey) WITH ORDINALITY x(attnum, place)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum) AS columns,
         (SELECT json_agg(a.attname ORDER BY x.place) FROM unnest(k.confkey) WITH ORDINALITY x(attnum, place)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.attnum) AS references
    FROM pg_constraint k
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
         JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE k.contype = 'f' AND k.conparentid = 0`;

interface ForeignKey {
  child: string;
  parent: string;
  identifier: string;
  follows: boolean;
  columns: string[];
  references: string[];
}

export interface LiveSchema {
  targets: Map<string, Target>;
  /** Exported tables the live database cannot hold. */
  without: string[];
  /** Targets, parents before children. */
  order: string[];
}

export async function readLiveSchema(live: Client, exported: Record<string, ExportedTable>): Promise<LiveSchema> {
  const shapes = await readShapes(live);
  const { rows: keys } = await live.query<ForeignKey>(FOREIGN_KEYS);
  const targets = new Map<string, Target>();
  for (const [name, table] of Object.entries(exported)) {
    const followers = keys
      .filter((key) => key.parent === name && key.follows)
      .map(({ identifier, columns, references }) => ({ child: identifier, columns, references }));
    const target = targetOf(name, table, shapes.get(name), followers);
    if (target !== null) targets.set(name, target);
  }
  const without = Object.keys(exported).filter((name) => !targets.has(name));
  return { targets, without, order: parentsFirst([...targets.keys()], keys) };
}

const SWITCHED_OFF = `
  SELECT DISTINCT tgrelid::regclass::text AS "table" FROM pg_trigger
   WHERE tgisinternal AND tgconstraint <> 0 AND tgenabled NOT IN ('O', 'A') ORDER BY 1`;

/** Foreign keys would not be checked, and rows without parents would get in under a constraint that says it is valid. */
export class UnguardedReapplyError extends Error {
  constructor(why: string) {
    super(`rows cannot be put back while foreign keys are not checked: ${why}`);
    this.name = "UnguardedReapplyError";
  }
}

/** @throws UnguardedReapplyError */
export async function assertGuarded(live: Client): Promise<void> {
  const { rows } = await live.query<{ role: string }>("SELECT current_setting('session_replication_role') AS role");
  if (rows[0]?.role !== "origin") throw new UnguardedReapplyError(`session_replication_role is ${rows[0]?.role}. Set it to origin`);
  const off = await live.query<{ table: string }>(SWITCHED_OFF);
  const tables = off.rows.map(({ table }) => table).join(", ");
  if (tables !== "") throw new UnguardedReapplyError(`triggers are switched off on ${tables}. Run ALTER TABLE … ENABLE TRIGGER ALL`);
}
