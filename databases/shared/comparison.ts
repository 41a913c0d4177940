/** What a comparison of two states of one database finds, whatever the engine. */

/** Column name to the engine's text of the value; null is SQL NULL. */
export type TextRow = Record<string, string | null>;

export interface Difference {
  table: string;
  op: "insert" | "update" | "delete";
  /** Columns of the primary key; null where rows were compared as a multiset. */
  key: TextRow | null;
  /** The row in the base database, every column; null for an insert. */
  before: TextRow | null;
  /** The row in the current database, every column; null for a delete. */
  row: TextRow | null;
  /**
   * Multiset only. Insert: the how-manieth equal row of the current database this is. Delete: how many equal rows it holds. Either way the
   * number a database must hold for the difference to be in it already.
   */
  copies?: number;
  /** Columns whose values are too large to be held here: they are null in the row. */
  tooLarge?: { before?: string[]; row?: string[] };
  /** What the declared types of the columns do not tell: storage classes of SQLite's values; text that is no UTF-8, in any database. */
  classes?: { before?: Record<string, string>; row?: Record<string, string> };
}

export interface ComparedRows {
  /** Which sides have the table; absent in exports from before. */
  exists?: "both" | "base only" | "current only" | "neither";
  inserted: number;
  updated: number;
  deleted: number;
  /**
   * `multiset`: the sides share no primary key, so an updated row counts as one deleted and one inserted; updated are those in which only a new
   * column was filled in.
   */
  by: "primary key" | "multiset";
  key: string[];
}

export type OnDifference = (difference: Difference) => void | Promise<void>;

/** Base side's name → current side's: the column at the same place, of the same type, that has another name on each side. */
export function renamedColumns<Side extends { columns: readonly Placed[] }>(base: Side, current: Side): Map<string, string> {
  const has = (side: Side, name: string): boolean => side.columns.some((column) => column.name === name);
  return new Map(
    base.columns
      .filter(({ name }) => !has(current, name))
      .flatMap(({ name, place, type }) => {
        const now = current.columns.find((column) => column.place === place && column.type === type && !has(base, column.name));
        return now === undefined ? [] : [[name, now.name] as const];
      }),
  );
}

interface Placed {
  name: string;
  place: number;
  type: string;
}

/** What a side of the plan calls a column that the current side calls `name`. */
export function columnOf<Side>(plan: { base: Side | null; renamedColumns: Record<string, string> }, side: Side, name: string): string {
  if (side !== plan.base) return name;
  return Object.entries(plan.renamedColumns).find(([, now]) => now === name)?.[0] ?? name;
}
