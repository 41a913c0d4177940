/** What the live file can take back: its tables, their order, and the values they can hold. */
import type { DatabaseSync } from "node:sqlite";
import { parentsFirst } from "../postgres/reapply-passes.ts";
import { all, openFile, quote } from "./database.ts";
import type { ExportManifest } from "./export.ts";
import { readShapes, type TableShape } from "./shape.ts";
import { affinityOf, sameValue, type Affinity, type Value } from "./values.ts";

export type ExportedTable = ExportManifest["tables"][string];

/** A foreign key, with both tables quoted. */
export interface Reference {
  child: string;
  parent: string;
  columns: string[];
  references: string[];
  /** A delete, or a change of what is referred to, would be followed by the child's rows. */
  follows: { deletes: boolean; updates: boolean };
  toItself: boolean;
}

/** A table of the live file as the rows of an export meet it. */
export interface Target {
  name: string;
  identifier: string;
  /** Columns the export and the live table share and that can be written. */
  held: string[];
  /** Columns of the export the live table lacks; their values stay in the export. */
  notHeld: string[];
  /** Empty where rows were exported as a multiset. */
  key: string[];
  /** What tells one row of the live table from every other. */
  address: string[];
  /** Declared types of the exported columns. */
  types: Map<string, string>;
  /** Held columns that make something else of some values than the exported ones did. */
  retyped: Map<string, { from: Affinity; to: Affinity }>;
  parents: Reference[];
  children: Reference[];
  /** Where the table says what becomes of rows in its way: they are not to be replaced, nor the whole transaction to be ended. */
  orAbort: "" | " OR ABORT";
}

export interface LiveSchema {
  targets: Map<string, Target>;
  /** Exported tables the live file cannot hold. */
  without: string[];
  /** Targets, parents before children. */
  order: string[];
}

export function readLiveSchema(live: DatabaseSync, exported: Record<string, ExportedTable>): LiveSchema {
  const shapes = readShapes(live);
  const keys = foreignKeys(live, shapes);
  const targets = new Map<string, Target>();
  for (const [name, table] of Object.entries(exported)) {
    const target = targetOf(live, name, table, shapes.get(name), keys);
    if (target !== null) targets.set(name, target);
  }
  const without = Object.keys(exported).filter((name) => !targets.has(name));
  return { targets, without, order: parentsFirst([...targets.keys()], keys) };
}

/** Null where the live file has no such table or not its key columns. */
function targetOf(
  live: DatabaseSync,
  name: string,
  exported: ExportedTable,
  shape: TableShape | undefined,
  keys: ForeignKey[],
): Target | null {
  if (shape === undefined) return null;
  const writable = new Map(shape.columns.filter(({ generated }) => !generated).map((column) => [column.name, column.type]));
  if (!exported.key.every((column) => writable.has(column))) return null;
  const known = new Set(shape.columns.map((column) => column.name));
  const held = exported.columns.filter((column) => writable.has(column.name));
  const definition = all<{ sql: string }>(live, "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = $1", [name])[0]!.sql;
  return {
    name,
    identifier: tableName(name),
    held: held.map((column) => column.name),
    notHeld: exported.columns.map((column) => column.name).filter((column) => !known.has(column)),
    key: exported.key,
    address: exported.key.length > 0 ? exported.key : addressOf(live, shape),
    types: new Map(exported.columns.map((column) => [column.name, column.type])),
    retyped: new Map(
      held
        .map((column) => [column.name, { from: affinityOf(column.type), to: affinityOf(writable.get(column.name)!) }] as const)
        .filter(([, { from, to }]) => from !== to),
    ),
    parents: keys.filter((key) => key.of.child === name).map(({ reference }) => reference),
    children: keys.filter((key) => key.of.parent === name).map(({ reference }) => reference),
    orAbort: /\bON\s+CONFLICT\b/i.test(definition) ? " OR ABORT" : "",
  };
}

function tableName(name: string): string {
  return `main.${quote(name)}`;
}

/** The row's number under a name that no column has; tables without one have a primary key. */
function addressOf(live: DatabaseSync, shape: TableShape): string[] {
  const [{ wr } = { wr: 0 }] = all<{ wr: number }>(live, "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = $1", [
    shape.name,
  ]);
  const taken = new Set(shape.columns.map(({ name }) => name.toLowerCase()));
  const number = ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
  return wr === 1 || number === undefined ? shape.primaryKey : [number];
}

interface ForeignKey {
  child: string;
  parent: string;
  of: { child: string; parent: string };
  reference: Reference;
}

/** Those whose parent exists. Names of tables are written in any case. */
function foreignKeys(live: DatabaseSync, shapes: Map<string, TableShape>): ForeignKey[] {
  const named = new Map([...shapes.keys()].map((name) => [name.toLowerCase(), name]));
  const keys: ForeignKey[] = [];
  for (const child of shapes.keys()) {
    const rows = all<{ id: number; table: string; from: string; to: string | null; on_delete: string; on_update: string }>(
      live,
      `SELECT id, "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list($1) ORDER BY id, seq`,
      [child],
    );
    for (const parts of Map.groupBy(rows, ({ id }) => id).values()) {
      const { table, on_delete, on_update } = parts[0]!;
      const parent = named.get(table.toLowerCase());
      if (parent === undefined) continue;
      const references = parts.map(({ to }, place) => to ?? shapes.get(parent)!.primaryKey[place]!);
      const reference: Reference = {
        child: tableName(child),
        parent: tableName(parent),
        columns: parts.map(({ from }) => from),
        references,
        follows: { deletes: follows(on_delete), updates: follows(on_update) },
        toItself: child === parent,
      };
      keys.push({ child, parent, of: { child, parent }, reference });
    }
  }
  return keys;
}

function follows(action: string): boolean {
  return ["CASCADE", "SET NULL", "SET DEFAULT"].includes(action.toUpperCase());
}

/** What columns make of values, asked of SQLite itself in a file of nothing but such columns. */
export class Columns {
  private readonly db: DatabaseSync = openFile(":memory:");

  constructor() {
    this.db.exec("CREATE TABLE made (text TEXT, real REAL, numeric NUMERIC, none)");
  }

  /** The value as the live column keeps it; undefined where it would not come back as it was. */
  held(value: Value, { from, to }: { from: Affinity; to: Affinity }): Value | undefined {
    const kept = this.kept(value, to);
    return sameValue(kept, value) || sameValue(this.kept(kept, from), value) ? kept : undefined;
  }

  kept(value: Value, affinity: Affinity): Value {
    const statement = this.db.prepare(`INSERT INTO made (${affinity}) VALUES ($1) RETURNING ${affinity} AS value`);
    statement.setReadBigInts(true);
    return (statement.get({ $1: value }) as { value: Value }).value;
  }

  close(): void {
    this.db.close();
  }
}
