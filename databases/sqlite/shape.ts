/** The tables of a file, and how two states of one can be compared. */
import { isLedgerTable } from "../shared/migrations/ledgers/tables.ts";
import type { DatabaseSync } from "node:sqlite";
import type { NotCompared } from "../shared/not-compared.ts";
import { renamedColumns } from "../shared/comparison.ts";
import { all, openFile } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import { keepsUtf16 } from "./text-bytes.ts";
import type { Value } from "./values.ts";

export interface ColumnShape {
  name: string;
  /** As declared; empty where none is. */
  type: string;
  generated: boolean;
  /** Number of the column in its table. */
  place: number;
  /** Expression of the default; null: none. */
  default: string | null;
}

export interface TableShape {
  name: string;
  columns: ColumnShape[];
  /** In key order; empty without one. */
  primaryKey: string[];
  /** A name of the row's number that no column has; null where rows have none. */
  rowNumber: string | null;
  /** Its file keeps text as UTF-16. */
  utf16: boolean;
}

/** Modules whose tables return what was written to them, unless they are declared to keep no content of their own. */
const READABLE_MODULES = ["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"];

interface Listed {
  name: string;
  type: "table" | "virtual" | "shadow" | "view";
  wr: number;
  sql: string;
}

function listed(db: DatabaseSync): Listed[] {
  return all<Listed>(
    db,
    `SELECT l.name, l.type, l.wr, s.sql FROM pragma_table_list l JOIN main.sqlite_schema s ON s.name = l.name AND s.type = 'table'
      WHERE l.schema = 'main' AND l.type IN ('table', 'virtual', 'shadow') AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name`,
  );
}

/** Names of the ordinary tables, ledgers of migrations among them. */
export function tableNames(db: DatabaseSync): string[] {
  return listed(db)
    .filter(({ type }) => type === "table")
    .map(({ name }) => name);
}

/** Ordinary tables by name; SQLite's own and those of virtual tables left out. */
export function readShapes(db: DatabaseSync): Map<string, TableShape> {
  return new Map(
    listed(db)
      .filter(({ type }) => type === "table")
      .map((table) => [table.name, shapeOf(db, table)]),
  );
}

/** Virtual tables that give back the rows written to them: read as tables whose key is the row's number. */
export function readVirtualShapes(db: DatabaseSync): Map<string, TableShape> {
  return new Map(
    listed(db)
      .filter((table) => table.type === "virtual" && contentOf(table) === "own")
      .map((table): [string, TableShape] => {
        const shape = shapeOf(db, table);
        const number = { name: "rowid", type: "INTEGER", generated: false, place: -1, default: null };
        return [table.name, { ...shape, columns: [number, ...shape.columns], primaryKey: ["rowid"], rowNumber: "rowid" }];
      }),
  );
}

/** Every table whose rows can be read, by name. */
export function everyShape(db: DatabaseSync): Map<string, TableShape> {
  return new Map([...readShapes(db), ...readVirtualShapes(db)]);
}

function moduleOf({ sql }: Listed): string {
  return (/\bUSING\s+["'`[]?(\w+)/i.exec(sql)?.[1] ?? "").toLowerCase();
}

/** Whose rows a virtual table shows: its own, another table's, or none that can be read. */
function contentOf(table: Listed): "own" | "another's" | "none" {
  const module = moduleOf(table);
  if (!READABLE_MODULES.includes(module)) return "none";
  const content = /[(,]\s*content\s*=\s*(?:'([^']*)'|"([^"]*)"|([^\s,)]*))/i.exec(table.sql);
  if (!module.startsWith("fts") || content === null) return "own";
  return (content[1] ?? content[2] ?? content[3] ?? "") === "" ? "none" : "another's";
}

/** Virtual tables that cannot be read, each with the tables its module keeps it in. */
export function unreadTables(db: DatabaseSync): (Omit<NotCompared, "mayBeLost"> & { kept: TableShape[] })[] {
  const tables = listed(db);
  return tables
    .filter((table) => table.type === "virtual" && contentOf(table) === "none")
    .map((table) => {
      const module = moduleOf(table);
      const why = READABLE_MODULES.includes(module)
        ? "it keeps an index without the text it was made of"
        : `only its module ${module} can read it`;
      // Of a module that is not loaded they are listed as tables, and compared as such.
      const kept = tables.filter(({ name, type }) => type === "shadow" && name.startsWith(`${table.name}_`));
      return { name: table.name, kind: "virtual table", why, kept: kept.map((one) => shapeOf(db, one)) };
    });
}

function shapeOf(db: DatabaseSync, { name: table, wr }: Listed): TableShape {
  const columns = all<{ cid: number; name: string; type: string; pk: number; hidden: number; default: string | null }>(
    db,
    `SELECT cid, name, type, pk, hidden, dflt_value AS "default" FROM pragma_table_xinfo($1) WHERE hidden <> 1 ORDER BY cid`,
    [table],
  );
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  return {
    name: table,
    columns: columns.map((column) => ({
      name: column.name,
      type: column.type,
      generated: column.hidden > 1,
      place: column.cid,
      default: column.default,
    })),
    primaryKey: columns
      .filter(({ pk }) => pk > 0)
      .sort((a, b) => a.pk - b.pk)
      .map(({ name }) => name),
    rowNumber: wr === 1 ? null : (["rowid", "_rowid_", "oid"].find((name) => !taken.has(name)) ?? null),
    utf16: keepsUtf16(db),
  };
}

/** `base` or `current` is null where the table exists on one side only. */
export interface TablePlan {
  name: string;
  base: TableShape | null;
  current: TableShape | null;
  by: "primary key" | "multiset";
  /** As the current side calls them, like all columns below. */
  key: string[];
  /** Columns both sides have. */
  compared: string[];
  /** Columns of the current side alone, and what a row has in each that nobody gave a value: a row with another value is another row. */
  added: { name: string; unfilled: Value }[];
  droppedColumns: string[];
  /** Of the base side's name of a column the current side's, where they differ. */
  renamedColumns: Record<string, string>;
  /** Some row of a side is too long to be exported as it is: large values are compared by their digest. */
  large: boolean;
}

/** Every table of either side but the ledgers of migrations. */
export function planTables(base: Map<string, TableShape>, current: Map<string, TableShape>): TablePlan[] {
  const known = [...new Set([...current.keys(), ...base.keys()])];
  const columns = (table: string) => (current.get(table) ?? base.get(table))?.columns.map(({ name }) => name);
  return known
    .filter((table) => !isLedgerTable(table, columns(table)))
    .map((table) => planTable(base.get(table) ?? null, current.get(table) ?? null));
}

function planTable(base: TableShape | null, current: TableShape | null): TablePlan {
  const [before, after] = [base ?? current!, current ?? base!];
  const renamed = renamedColumns(before, after);
  const was = before.columns.map(({ name }) => renamed.get(name) ?? name);
  const is = new Set(after.columns.map(({ name }) => name));
  const wasKey = before.primaryKey.map((name) => renamed.get(name) ?? name);
  const key = wasKey.join("\0") === after.primaryKey.join("\0") ? after.primaryKey : [];
  return {
    name: after.name,
    base,
    current,
    by: key.length > 0 ? "primary key" : "multiset",
    key,
    compared: was.filter((name) => is.has(name)),
    added: after.columns
      .filter(({ name, generated }) => !generated && !was.includes(name))
      .map((column) => ({ name: column.name, unfilled: defaultOf(column) })),
    droppedColumns: was.filter((name) => !is.has(name)),
    renamedColumns: Object.fromEntries(renamed),
    large: false,
  };
}

/** As a column of this type keeps it; what no default says is NULL. */
function defaultOf(column: ColumnShape): Value {
  if (column.default === null) return null;
  const db = openFile(":memory:");
  try {
    db.exec(`CREATE TABLE made (${quote("made")} ${column.type} DEFAULT (${column.default}), other)`);
    const statement = db.prepare("INSERT INTO made (other) VALUES (1) RETURNING made AS value");
    statement.setReadBigInts(true);
    return (statement.get() as { value: Value }).value;
  } catch {
    return null;
  } finally {
    db.close();
  }
}
