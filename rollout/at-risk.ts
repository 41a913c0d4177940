/** Data at risk: rows written since the data a pin goes back to, per table. */
import type { ControlRecord, Snapshot } from "../config/record.ts";
import type { NotCompared } from "../databases/postgres/comparison-beyond.ts";
import { engineOf, type AtRisk, type Looking, type RowChanges } from "../databases/engine.ts";
import type { DataAction } from "../config/plan.ts";
import type { Run } from "./run.ts";
import { withoutOwnFlags } from "./steps/flags.ts";

export type { AtRisk, RowChanges, RowsAtRisk } from "../databases/engine.ts";

/** A comparison as it is told. */
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

/** What `carry: refuse` refuses for, in words; empty: nothing can be lost. */
export function losses({ rows, unknown, notCompared }: AtRisk): string[] {
  return [
    ...Object.entries(rows)
      .filter(([, { inserted, updated, deleted }]) => inserted + updated + deleted > 0)
      .map(([table, { inserted, updated, deleted }]) => `${table} +${inserted} ~${updated} -${deleted}`),
    ...Object.entries(unknown).map(([table, why]) => `${table}: unknown, ${why}`),
    ...notCompared
      .filter(({ mayBeLost }) => mayBeLost)
      .map(({ kind, name, why, compared }) => `${kind} ${name}, which is ${compared === true ? "in no export" : "not compared"}: ${why}`),
  ];
}

/** Why `carry: refuse` refuses, and what to do instead; null: nothing can be lost. */
export function carryRefusal(database: string, release: string, found: AtRisk): { told: string; instead: string } | null {
  const lost = losses(found);
  if (lost.length === 0) return null;
  const rows = Object.values(found.rows).reduce((sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted, 0);
  const what =
    rows > 0
      ? `${rows} ${rows === 1 ? "row" : "rows"} of ${database} ${rows === 1 ? "was" : "were"}`
      : `something in ${database} may have been`;
  return {
    told: `backout:carry is "refuse" and ${what} written since (${lost.join(", ")}).`,
    instead: `Set backout:carry to "export" to keep them as files, or pin other data than ${release}'s.`,
  };
}

/** Up to this many rows counting takes no longer than a person notices. */
export const COUNT_UP_TO_ROWS = 20_000;

type Controlled = Looking & { control: ControlRecord };

/** The snapshot against which "since" is measured: the one that is restored, or, for an undo, the one the live data descends from. */
export async function baseSnapshot(run: Controlled, database: string, action: DataAction): Promise<Snapshot | null> {
  const snapshots = (await run.control.readySnapshots()).filter((snapshot) => snapshot.database === database);
  if (action.kind === "restore")
    return snapshots.find(({ name, generation }) => name === action.snapshot && generation === action.generation) ?? null;
  const { snapshot: from } = await (await engineOf(run.definition, database)).lineage(run, database);
  return from === null ? null : (snapshots.find(({ name, generation }) => name === from.name && generation === from.generation) ?? null);
}

/** Null where there is nothing to compare with. */
export async function atRisk(run: Controlled, database: string, action: DataAction, exact: boolean): Promise<AtRisk | null> {
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) return null;
  return withoutOwnFlags(run, snapshot, await (await engineOf(run.definition, database)).rowsAtRisk(run, database, snapshot, exact), false);
}

/** Counts row by row inside the fence; null where there is nothing to compare with. */
export async function countSince(run: Run, database: string, action: DataAction): Promise<AtRisk | null> {
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) return null;
  return withoutOwnFlags(run, snapshot, await (await engineOf(run.definition, database)).rowsSince(run, database, snapshot), true);
}
