/** The tables of a file, and how two states of one can be compared. */
import type { DatabaseSync } from "node:sqlite";
import { all } from "./database.ts";

export interface ColumnShape {
  name: string;
  /** As declared; empty where none is. */
  type: string;
  generated: boolean;
}

export interface TableShape {
  name: string;
  columns: ColumnShape[];
  /** In key order; empty without one. */
  primaryKey: string[];
}

/** The ledgers of migrations describe the schema, not the users' data: they are compared only when they are named. */
export const LEDGERS = ["_prisma_migrations", "_backout_migrations"];

/** Ordinary tables by name; SQLite's own and those of virtual tables left out. */
export function readShapes(db: DatabaseSync): Map<string, TableShape> {
  const tables = all<{ name: string }>(
    db,
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
  );
  return new Map(tables.map(({ name }) => [name, shapeOf(db, name)]));
}

function shapeOf(db: DatabaseSync, table: string): TableShape {
  const columns = all<{ name: string; type: string; pk: number; hidden: number }>(
    db,
    "SELECT name, type, pk, hidden FROM pragma_table_xinfo($1) WHERE hidden <> 1 ORDER BY cid",
    [table],
  );
  return {
    name: table,
    columns: columns.map(({ name, type, hidden }) => ({ name, type, generated: hidden > 1 })),
    primaryKey: columns
      .filter(({ pk }) => pk > 0)
      .sort((a, b) => a.pk - b.pk)
      .map(({ name }) => name),
  };
}

/** `base` or `current` is null where the table exists on one side only. */
export interface TablePlan {
  name: string;
  base: TableShape | null;
  current: TableShape | null;
  by: "primary key" | "multiset";
  key: string[];
  /** Columns both sides have: only these are compared. */
  compared: string[];
}

/** Tables that neither side has (yet) are left out: a definition names those of every release. */
export function planTables(base: Map<string, TableShape>, current: Map<string, TableShape>, tables?: readonly string[]): TablePlan[] {
  const known = [...new Set([...current.keys(), ...base.keys()])];
  const wanted = tables ?? known.filter((table) => !LEDGERS.includes(table));
  return wanted.filter((table) => known.includes(table)).map((table) => planTable(base.get(table) ?? null, current.get(table) ?? null));
}

function planTable(base: TableShape | null, current: TableShape | null): TablePlan {
  const [before, after] = [base ?? current!, current ?? base!];
  const sameKey = before.primaryKey.join("\0") === after.primaryKey.join("\0");
  const key = sameKey ? after.primaryKey : [];
  const columns = new Set(after.columns.map(({ name }) => name));
  return {
    name: after.name,
    base,
    current,
    by: key.length > 0 ? "primary key" : "multiset",
    key,
    compared: before.columns.map(({ name }) => name).filter((name) => columns.has(name)),
  };
}
