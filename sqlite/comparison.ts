/** Which rows were inserted, updated and deleted between two files that descend from each other: both read once, in the order of their keys. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as breathe } from "node:timers/promises";
import type { ComparedRows, Difference, OnDifference } from "../postgres/comparison.ts";
import { quote } from "./database.ts";
import { planTables, readShapes, type TablePlan, type TableShape } from "./shape.ts";
import { classToNote, compareValues, sameValue, textOf, type StorageClass, type Value } from "./values.ts";

/** Compares the named tables, or every table of either side; one consistent state per side. */
export async function compareFiles(
  base: DatabaseSync,
  current: DatabaseSync,
  tables?: readonly string[],
): Promise<Record<string, ComparedRows>> {
  return inSnapshots(base, current, async () => {
    const result: Record<string, ComparedRows> = {};
    for (const plan of planTables(readShapes(base), readShapes(current), tables))
      result[plan.name] = await comparePlanned(base, current, plan);
    return result;
  });
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
  plan: TablePlan,
  onDifference?: OnDifference,
): Promise<ComparedRows> {
  const { by, key, name } = plan;
  const result: ComparedRows = { inserted: 0, updated: 0, deleted: 0, by, key };
  const types = new Map((plan.current ?? plan.base)!.columns.map((column) => [column.name, column.type]));
  for (const pair of differences(rowsOf(base, plan.base, plan), rowsOf(current, plan.current, plan), plan)) {
    if (pair === "a while") {
      await breathe();
      continue;
    }
    const { before, after, copies } = pair;
    const op = before === null ? "insert" : after === null ? "delete" : "update";
    result[op === "insert" ? "inserted" : op === "update" ? "updated" : "deleted"]++;
    if (onDifference === undefined) continue;
    const [was, is] = [before?.row ?? null, after?.row ?? null];
    const keyed = by === "primary key" ? Object.fromEntries(key.map((column) => [column, (is ?? was)?.[column] ?? null])) : null;
    const classes = classesOf(types, before, after);
    await onDifference({
      table: name,
      op,
      key: keyed,
      before: was,
      row: is,
      ...(by === "multiset" && { copies }),
      ...(classes !== null && { classes }),
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

interface Row {
  /** What rows are matched and sorted by. */
  match: Value[];
  compared: Value[];
  /** Every column, as text. */
  readonly row: Record<string, string | null>;
  /** Every column. */
  readonly cells: Record<string, Value>;
}

function* rowsOf(db: DatabaseSync, shape: TableShape | null, plan: TablePlan): Generator<Row> {
  if (shape === null) return;
  const names = shape.columns.map(({ name }) => name);
  const matched = plan.by === "primary key" ? plan.key : plan.compared;
  const order = matched.map((column) => `${quote(column)} COLLATE BINARY`).join(", ");
  const statement = db.prepare(
    `SELECT ${names.map(quote).join(", ")} FROM main.${quote(shape.name)}${order === "" ? "" : ` ORDER BY ${order}`}`,
  );
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  const places = (columns: readonly string[]): number[] => columns.map((column) => names.indexOf(column));
  const [matchPlaces, comparedPlaces] = [places(matched), places(plan.compared)];
  for (const cells of statement.iterate() as unknown as Iterable<Value[]>)
    yield {
      match: matchPlaces.map((place) => cells[place] ?? null),
      compared: comparedPlaces.map((place) => cells[place] ?? null),
      get row() {
        return Object.fromEntries(names.map((name, place) => [name, textOf(cells[place] ?? null)]));
      },
      get cells() {
        return Object.fromEntries(names.map((name, place) => [name, cells[place] ?? null]));
      },
    };
}

/** A file is read without waiting for anything: the process is let go on with the rest of its work in between. */
const A_WHILE_ROWS = 2_000;

interface Pair {
  before: Row | null;
  after: Row | null;
  /** How many equal rows the later side has had so far, this one included. */
  copies: number;
}

/** Merges two sorted sides. Equal matches pair off one by one: the match by key and the difference of two multisets alike. */
function* differences(old: Iterator<Row>, now: Iterator<Row>, { by }: TablePlan): Generator<Pair | "a while"> {
  let before = next(old);
  let after = next(now);
  let last: Value[] | null = null;
  let copies = 0;
  let compared = 0;
  while (before !== null || after !== null) {
    if (++compared % A_WHILE_ROWS === 0) yield "a while";
    const order = before === null ? 1 : after === null ? -1 : compareRows(before.match, after.match);
    const match = (order > 0 ? after : before)!.match;
    if (last === null || compareRows(last, match) !== 0) copies = 0;
    last = match;
    if (order >= 0) copies++;
    if (order < 0) yield { before, after: null, copies };
    else if (order > 0) yield { before: null, after, copies };
    else if (!before!.compared.every((value, place) => sameValue(value, after!.compared[place]!))) {
      // Of equal order but another storage class: without a key nothing says that it is the same row.
      if (by === "primary key") yield { before, after, copies };
      else yield* [{ before, after: null, copies } satisfies Pair, { before: null, after, copies } satisfies Pair];
    }
    if (order <= 0) before = next(old);
    if (order >= 0) after = next(now);
  }
}

function next(rows: Iterator<Row>): Row | null {
  const step = rows.next() as IteratorResult<Row, undefined>;
  return step.done === true ? null : step.value;
}

function compareRows(a: Value[], b: Value[]): number {
  for (const [place, value] of a.entries()) {
    const order = compareValues(value, b[place]!);
    if (order !== 0) return order;
  }
  return 0;
}
