/** Which rows were inserted, updated and deleted between two files that descend from each other: both read once, in the order of their keys. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as breathe } from "node:timers/promises";
import { tooLargeIn, type NotCompared } from "../shared/not-compared.ts";
import { type ComparedRows, type Difference, type OnDifference } from "../shared/comparison.ts";
import { defineDigest, isLarge } from "./large.ts";
import { everyShape, planTables, unreadTables, type TablePlan, type TableShape } from "./shape.ts";
import { defineUtf8 } from "./text-bytes.ts";
import { classToNote, textOf, type StorageClass } from "./values.ts";
import { differences } from "./comparison-merge.ts";
import { rowsOf, type Row } from "./comparison-rows.ts";

export interface TableComparison extends ComparedRows {
  /** Columns of the later side alone: a row counts as updated where a value was filled in. */
  newColumns: string[];
  droppedColumns: string[];
  /** Earlier name of a column → later one, where it was renamed. */
  renamedColumns: Record<string, string>;
  /** Differing rows by column whose values there are too large to be exported; absent: none. */
  tooLarge?: Record<string, number>;
}

export interface FileComparison {
  tables: Record<string, TableComparison>;
  /** What could not be compared, by name. */
  notCompared: NotCompared[];
}

/** Compares everything in two files; one consistent state per side. */
export async function compareEverything(base: DatabaseSync, current: DatabaseSync): Promise<FileComparison> {
  return inSnapshots(base, current, async () => {
    const { plans, notCompared } = await planEverything(base, current);
    const tables: [string, TableComparison][] = [];
    for (const plan of plans) tables.push([plan.name, await comparePlanned(base, current, plan)]);
    return { tables: Object.fromEntries(tables), notCompared: [...notCompared, ...tooLargeIn(tables)] };
  });
}

/** How everything in two files is compared: every table, virtual ones that can be read, and what can only be named. */
export async function planEverything(
  base: DatabaseSync,
  current: DatabaseSync,
): Promise<{ plans: TablePlan[]; notCompared: NotCompared[] }> {
  const [unreadBefore, unreadNow] = [unreadTables(base), unreadTables(current)];
  const notCompared: NotCompared[] = [];
  for (const name of new Set([...unreadNow, ...unreadBefore].map((one) => one.name))) {
    const [was, is] = [unreadBefore, unreadNow].map((side) => side.find((one) => one.name === name));
    const { kind, why } = (is ?? was)!;
    const same = was !== undefined && is !== undefined && was.kept.length > 0 && (await sameContent(base, current, was.kept, is.kept));
    notCompared.push({ name, kind, why: same ? `${why}; it is as it was` : why, mayBeLost: !same });
  }
  const named = new Set(notCompared.map(({ name }) => name));
  return { plans: planTables(everyShape(base), everyShape(current)).filter(({ name }) => !named.has(name)), notCompared };
}

/** Whether what a module keeps its table in is the same on both sides. */
async function sameContent(base: DatabaseSync, current: DatabaseSync, was: TableShape[], is: TableShape[]): Promise<boolean> {
  const plans = planTables(new Map(was.map((shape) => [shape.name, shape])), new Map(is.map((shape) => [shape.name, shape])));
  for (const plan of plans) {
    const { inserted, updated, deleted } = await comparePlanned(base, current, plan);
    if (inserted + updated + deleted > 0) return false;
  }
  return true;
}

/** One consistent state on each side, while others write. */
export async function inSnapshots<T>(base: DatabaseSync, current: DatabaseSync, work: () => Promise<T>): Promise<T> {
  const both = [base, current];
  try {
    for (const db of both) db.exec("BEGIN");
    return await work();
  } finally {
    for (const db of both) if (db.isTransaction) db.exec("COMMIT");
  }
}

/** Runs one plan inside `inSnapshots`. `onDifference` is awaited for every differing row. */
export async function comparePlanned(
  base: DatabaseSync,
  current: DatabaseSync,
  planned: TablePlan,
  onDifference?: OnDifference,
): Promise<TableComparison> {
  const sides = [
    [base, planned.base],
    [current, planned.current],
  ] as const;
  for (const [db, shape] of sides) if (shape?.utf16 === true) defineUtf8(db);
  const plan = { ...planned, large: isLarge(sides) };
  if (plan.large) for (const [db] of sides) defineDigest(db);
  const { by, key, name, droppedColumns, renamedColumns } = plan;
  const newColumns = plan.added.map((column) => column.name);
  const exists = plan.base === null ? "current only" : plan.current === null ? "base only" : "both";
  const result: TableComparison = { exists, inserted: 0, updated: 0, deleted: 0, by, key, newColumns, droppedColumns, renamedColumns };
  const types = new Map((plan.current ?? plan.base)!.columns.map((column) => [column.name, column.type]));
  for (const pair of differences(rowsOf(base, plan.base, plan), rowsOf(current, plan.current, plan), plan)) {
    if (pair === "a while") {
      await breathe();
      continue;
    }
    const { before, after, copies } = pair;
    const op = before === null ? "insert" : after === null ? "delete" : "update";
    result[op === "insert" ? "inserted" : op === "update" ? "updated" : "deleted"]++;
    const [had, has] = [before?.leftOut ?? [], after?.leftOut ?? []];
    for (const column of new Set([...had.map((one) => renamedColumns[one] ?? one), ...has]))
      result.tooLarge = { ...result.tooLarge, [column]: (result.tooLarge?.[column] ?? 0) + 1 };
    if (onDifference === undefined) continue;
    const tooLarge = { ...(had.length > 0 && { before: had }), ...(has.length > 0 && { row: has }) };
    const [was, is] = [before?.row ?? null, after?.row ?? null];
    const classes = classesOf(types, before, after);
    await onDifference({
      table: name,
      op,
      key: copies === null ? Object.fromEntries(key.map((column, place) => [column, textOf((after ?? before)!.match[place]!)])) : null,
      before: was,
      row: is,
      ...(copies !== null && { copies }),
      ...(classes !== null && { classes }),
      ...(had.length + has.length > 0 && { tooLarge }),
    });
  }
  return result;
}

/** By the types the export is written with; null where they tell everything. */
function classesOf(types: Map<string, string>, before: Row | null, after: Row | null): Difference["classes"] | null {
  const noted = (row: Row | null): Record<string, StorageClass> | null => {
    const classes = Object.entries(row?.cells ?? {}).flatMap(([name, value]) => {
      const noting = classToNote(value, types.get(name) ?? "");
      return noting === undefined ? [] : [[name, noting] as const];
    });
    return classes.length === 0 ? null : Object.fromEntries(classes);
  };
  const [was, is] = [noted(before), noted(after)];
  return was === null && is === null ? null : { ...(was !== null && { before: was }), ...(is !== null && { row: is }) };
}
