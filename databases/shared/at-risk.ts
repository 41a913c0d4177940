/** Rows at risk, as a comparison found them. */
import type { RowChanges, AtRisk } from "../engine.ts";
import type { NotCompared } from "./not-compared.ts";

/** What a comparison reports. */
export interface Compared {
  tables: Readonly<Record<string, RowChanges & { droppedColumns?: string[]; renamedColumns?: Record<string, string> }>>;
  notCompared: NotCompared[];
}

/** @param order tables of the definition: they come first */
export function countedRisk({ tables, notCompared }: Compared, order: readonly string[]): AtRisk {
  const rows = Object.entries(tables).map(([table, { inserted, updated, deleted }]) => [table, { inserted, updated, deleted }] as const);
  return { rows: inOrder(rows, order), how: "counted", unknown: {}, notCompared, notes: columnNotes(tables) };
}

/** The definition's tables first, in its order; the others as they came. */
export function inOrder<T>(found: readonly (readonly [table: string, value: T])[], order: readonly string[]): Record<string, T> {
  const place = (table: string): number => (order.includes(table) ? order.indexOf(table) : order.length);
  return Object.fromEntries([...found].sort(([one], [other]) => place(one) - place(other)));
}

/** Columns that a restore brings back under the name they had. */
export function columnNotes(tables: Compared["tables"]): string[] {
  return Object.entries(tables).flatMap(([table, { droppedColumns = [], renamedColumns = {} }]) => [
    ...(droppedColumns.length === 0 ? [] : [`${table}: ${droppedColumns.join(", ")}, dropped since, comes back as it was`]),
    ...Object.entries(renamedColumns).map(([was, is]) => `${table}: ${is} is called ${was} again`),
  ]);
}

/** `2 inserted, 1 updated, 0 deleted` */
export function changesInWords({ inserted, updated, deleted }: RowChanges): string {
  return `${inserted} inserted, ${updated} updated, ${deleted} deleted`;
}

/** Up to so many rows are counted: that takes no longer than a person notices. */
export const COUNT_UP_TO_ROWS = 20_000;
