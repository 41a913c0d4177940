/** What the live file can hold of an export: its tables, their keys, and the values they can hold. */
import type { DatabaseSync } from "node:sqlite";
import type { ReferenceKey, UniqueKey } from "../shared/reapply/decide.ts";
import { renamesFor, tableUnder, type Renames } from "../shared/reapply/renames.ts";
import { parentsFirst } from "../shared/reapply/result.ts";
import { all, openFile } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import type { ExportManifest } from "./export.ts";
import { everyShape, type TableShape } from "./shape.ts";
import { affinityOf, InvalidText, sameValue, type Affinity, type Value } from "./values.ts";

export type ExportedTable = ExportManifest["tables"][string];

/** A table of the live file as the rows of an export meet it. */
export interface Target {
  name: string;
  identifier: string;
  /** Columns of the live table that can be written, with the affinity of each. */
  writable: Map<string, Affinity>;
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
  /** What tells one row of the live table from every other. */
  address: string[];
  /** Name of the row's number, where it is no column and the table has one: rows keep it. */
  rowNumber: string | null;
  /** Declared types of the exported columns. */
  types: Map<string, string>;
  /** Held columns that make something else of some values than the exported ones did. */
  retyped: Map<string, { from: Affinity; to: Affinity }>;
  uniques: UniqueKey[];
}

export interface LiveSchema {
  targets: Map<string, Target>;
  /** Exported tables the live file cannot hold. */
  without: string[];
  /** Targets, parents before children. */
  order: string[];
  references: ReferenceKey[];
}

export function readLiveSchema(live: DatabaseSync, exported: Record<string, ExportedTable>): LiveSchema {
  const shapes = everyShape(live);
  const references = foreignKeys(live, shapes);
  const targets = new Map<string, Target>();
  for (const [name, table] of Object.entries(exported)) {
    const target = targetOf(live, name, table, shapes.get(name));
    if (target !== null) targets.set(name, target);
  }
  const without = Object.keys(exported).filter((name) => !targets.has(name));
  const keys = references.map(({ child, parent }) => ({ child: child.name, parent: parent.name }));
  return { targets, without, order: parentsFirst([...targets.keys()], keys), references };
}

/** Null where the live file has no such table, not its key columns, none of its columns, or nothing that tells its rows apart. */
function targetOf(live: DatabaseSync, name: string, table: ExportedTable, shape: TableShape | undefined): Target | null {
  if (shape === undefined) return null;
  const renames = renamesFor(table.renamedColumns, new Set(shape.columns.map((column) => column.name)));
  const exported = tableUnder(table, renames);
  const writable = new Map(shape.columns.filter(({ generated }) => !generated).map((column) => [column.name, affinityOf(column.type)]));
  if (!exported.key.every((column) => writable.has(column))) return null;
  const known = new Set(shape.columns.map((column) => column.name));
  const [here, names] = [exported.columns.filter((column) => writable.has(column.name)), exported.columns.map((column) => column.name)];
  if (here.length === 0) return null;
  const number = shape.rowNumber;
  const address = number === null ? shape.primaryKey : [number];
  if (address.length === 0) return null;
  return {
    name,
    identifier: `main.${quote(name)}`,
    writable,
    held: here.map((column) => column.name),
    renames,
    notHeld: names.filter((column) => !known.has(column)),
    defaulted: [...writable.keys()].filter((column) => !names.includes(column)),
    key: exported.key,
    address,
    rowNumber: number !== null && !isRowNumber(live, shape) ? number : null,
    types: new Map(exported.columns.map((column) => [column.name, column.type])),
    retyped: new Map(
      here
        .map((column) => [column.name, { from: affinityOf(column.type), to: writable.get(column.name)! }] as const)
        .filter(([, { from, to }]) => from !== to),
    ),
    uniques: uniquesOf(live, shape, exported.key),
  };
}

/** The key is the row's number itself: it has no index of its own. */
function isRowNumber(live: DatabaseSync, { name, primaryKey }: TableShape): boolean {
  return primaryKey.length === 1 && all(live, "SELECT 1 FROM pragma_index_list($1) WHERE origin = 'pk'", [name]).length === 0;
}

/** What is unique by an expression, in a column that is computed, or among some rows alone, is found out by trying. */
function uniquesOf(live: DatabaseSync, shape: TableShape, key: readonly string[]): UniqueKey[] {
  const indexes = all<{ name: string }>(live, 'SELECT name FROM pragma_index_list($1) WHERE "unique" = 1 AND partial = 0', [shape.name]);
  const uniques = indexes.map(({ name }) => ({
    name,
    parts: all<{ name: string | null; coll: string }>(live, "SELECT name, coll FROM pragma_index_xinfo($1) WHERE key = 1 ORDER BY seqno", [
      name,
    ]),
  }));
  if (isRowNumber(live, shape)) uniques.push({ name: "the primary key", parts: [{ name: shape.primaryKey[0]!, coll: "BINARY" }] });
  const computed = new Set(shape.columns.filter(({ generated }) => generated).map(({ name }) => name));
  return uniques
    .filter(({ parts }) => parts.every(({ name }) => name !== null && !computed.has(name)) && !sameColumns(parts, key))
    .map(({ name, parts }) => ({
      name,
      keys: parts.map((part) => quote(part.name!)),
      collations: parts.map((part) => part.coll),
      where: null,
      nullsEqual: false,
    }));
}

/** Under another collation than the comparison's, two keys may be one. */
function sameColumns(parts: readonly { name: string | null; coll: string }[], key: readonly string[]): boolean {
  return parts.length === key.length && parts.every(({ name, coll }) => coll === "BINARY" && key.includes(name!));
}

/** Those whose parent exists. Names of tables are written in any case. */
function foreignKeys(live: DatabaseSync, shapes: Map<string, TableShape>): ReferenceKey[] {
  const named = new Map([...shapes.keys()].map((name) => [name.toLowerCase(), name]));
  const keys: ReferenceKey[] = [];
  for (const child of shapes.keys()) {
    const rows = all<{ id: number; table: string; from: string; to: string | null }>(
      live,
      `SELECT id, "table", "from", "to" FROM pragma_foreign_key_list($1) ORDER BY id, seq`,
      [child],
    );
    for (const parts of Map.groupBy(rows, ({ id }) => id).values()) {
      const parent = named.get(parts[0]!.table.toLowerCase());
      if (parent === undefined) continue;
      keys.push({
        child: { name: child, live: `main.${quote(child)}` },
        parent: { name: parent, live: `main.${quote(parent)}` },
        columns: parts.map(({ from }) => from),
        references: parts.map(({ to }, place) => to ?? shapes.get(parent)!.primaryKey[place]!),
        // None acts while rows are put back.
        actsOnDelete: false,
      });
    }
  }
  return keys;
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
    if (value instanceof InvalidText) return value;
    const statement = this.db.prepare(`INSERT INTO made (${affinity}) VALUES ($1) RETURNING ${affinity} AS value`);
    statement.setReadBigInts(true);
    return (statement.get({ $1: value }) as { value: Value }).value;
  }

  close(): void {
    this.db.close();
  }
}
