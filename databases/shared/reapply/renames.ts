/** Columns that have another name in the export than in the live table: their values go into the one column, whatever it is called. */
import type { Difference } from "../comparison.ts";

/** Of a name in the export the live one, where they differ. */
export type Renames = ReadonlyMap<string, string>;

/** @param renamed the snapshot's name of a column → what it was called later */
export function renamesFor(renamed: Record<string, string>, live: ReadonlySet<string>): Renames {
  return new Map(
    Object.entries(renamed).flatMap(([was, is]): [string, string][] => {
      if (live.has(was) === live.has(is)) return [];
      return live.has(was) ? [[is, was]] : [[was, is]];
    }),
  );
}

/** What is exported of a table, under the live names. */
export function tableUnder<T extends { columns: { name: string; type: string }[]; key: string[] }>(table: T, renames: Renames): T {
  if (renames.size === 0) return table;
  const name = (column: string): string => renames.get(column) ?? column;
  return { ...table, columns: table.columns.map((column) => ({ ...column, name: name(column.name) })), key: table.key.map(name) };
}

export function differenceUnder(difference: Difference, renames: Renames): Difference {
  if (renames.size === 0) return difference;
  const under = <T>(row: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(row).map(([column, value]) => [renames.get(column) ?? column, value]));
  const { key, before, row, classes } = difference;
  return {
    ...difference,
    key: key && under(key),
    before: before && under(before),
    row: row && under(row),
    ...(classes !== undefined && {
      classes: { ...(classes.before && { before: under(classes.before) }), ...(classes.row && { row: under(classes.row) }) },
    }),
  };
}
