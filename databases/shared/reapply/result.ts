/** What came of putting rows of an export back, whatever the engine. */
import type { ComparedRows, Difference, TextRow } from "../comparison.ts";
import { LARGE_OBJECTS } from "../not-compared.ts";

export type ConflictReason =
  /** The live row was written since, too. */
  | "changed on both sides"
  /** The row an update belongs to is not in the live database. */
  | "row gone"
  | "missing parent"
  /** Rows the export does not know refer to the row that should go; they would be deleted or changed with it. */
  | "still referenced"
  | "constraint violated"
  /** The older column's type cannot hold the value exactly. */
  | "value not held"
  /** The database refused. */
  | "refused";

/** A row that stays as the live database has it, and why. */
export class Conflict extends Error {
  readonly reason: ConflictReason;
  constructor(reason: ConflictReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

export interface ReapplyConflict {
  table: string;
  op: Difference["op"];
  /** Columns of the key; the whole row where the table has none. */
  key: TextRow;
  reason: ConflictReason;
  detail: string;
}

export interface ReapplyCounts {
  inserted: number;
  updated: number;
  deleted: number;
  /** Differences the live database already had. */
  unchanged: number;
  /** Rows that differ only in columns the live table does not have. */
  notHeld: number;
  conflicts: number;
}

export const NO_ROWS: Readonly<ReapplyCounts> = { inserted: 0, updated: 0, deleted: 0, unchanged: 0, notHeld: 0, conflicts: 0 };

/** What the live schema has no place for stays in the export. */
export interface NotHeld {
  /** Rows, by table. */
  tables: Record<string, number>;
  /** Columns of the export that the live table lacks, by table. */
  columns: Record<string, string[]>;
  /** Columns of the live table that the export lacks, by table: rows that were inserted have their default in them, or NULL. */
  defaulted?: Record<string, string[]>;
  /** Rows of tables that the newer schema had dropped, by table: nobody deleted them, so they stay as they were restored. */
  dropped?: Record<string, number>;
}

/** The tables whose rows an export holds, without those that the newer schema had dropped. */
export function withRows<Table extends ComparedRows>(
  tables: Record<string, Table>,
  files: readonly { table: string }[],
): { exported: Record<string, Table>; dropped: Record<string, number> } {
  const all = Object.entries(tables).filter(([name]) => files.some(({ table }) => table === name));
  // Large objects are no table: where the last of them was deleted, a side has none.
  const isDropped = ([name, { exists }]: [string, Table]): boolean => exists === "base only" && name !== LARGE_OBJECTS;
  return {
    exported: Object.fromEntries(all.filter((table) => !isDropped(table))),
    dropped: Object.fromEntries(all.filter(isDropped).map(([name, { deleted }]) => [name, deleted])),
  };
}

export function notHeldOf(
  { exported, dropped }: { exported: Record<string, ComparedRows>; dropped: Record<string, number> },
  without: readonly string[],
  targets: Iterable<{ name: string; notHeld: string[]; defaulted: string[] }>,
): NotHeld {
  const rows = (name: string): number => exported[name]!.inserted + exported[name]!.updated + exported[name]!.deleted;
  const all = [...targets];
  const named = (columns: (target: (typeof all)[number]) => string[]): Record<string, string[]> =>
    Object.fromEntries(all.flatMap((target) => (columns(target).length === 0 ? [] : [[target.name, columns(target)]])));
  const defaulted = named((target) => (exported[target.name]!.inserted === 0 ? [] : target.defaulted));
  return {
    tables: Object.fromEntries(without.map((name) => [name, rows(name)])),
    columns: named(({ notHeld }) => notHeld),
    ...(Object.keys(defaulted).length === 0 ? {} : { defaulted }),
    ...(Object.keys(dropped).length === 0 ? {} : { dropped }),
  };
}

/** A cycle is cut at its first table by name. */
export function parentsFirst(tables: readonly string[], keys: readonly { child: string; parent: string }[]): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (table: string) => {
    if (seen.has(table)) return;
    seen.add(table);
    const parents = keys.filter(({ child, parent }) => child === table && tables.includes(parent)).map(({ parent }) => parent);
    for (const parent of parents.sort()) visit(parent);
    order.push(table);
  };
  for (const table of [...tables].sort()) visit(table);
  return order;
}
