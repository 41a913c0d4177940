/** Which rows were inserted, updated and deleted between two files that descend from each other: both read once, in the order of their keys. */
import type { DatabaseSync } from "node:sqlite";
import { isUtf8 } from "node:buffer";
import { setImmediate as breathe } from "node:timers/promises";
import { tooLargeIn, type NotCompared } from "../shared/not-compared.ts";
import { type ComparedRows, type Difference, type OnDifference, columnOf } from "../shared/comparison.ts";
import { quote } from "../shared/identifiers.ts";
import { comparable, comparableSql, defineDigest, isLarge, leftOutSql, readableSql } from "./large.ts";
import { planTables, readShapes, readVirtualShapes, unreadTables, type TablePlan, type TableShape } from "./shape.ts";
import { defineUtf8, sortedSql, textBytes } from "./text-bytes.ts";
import { classNameOf, classToNote, compareValues, InvalidText, sameValue, textOf, type StorageClass, type Value } from "./values.ts";

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
  const shapes = (db: DatabaseSync): Map<string, TableShape> => new Map([...readShapes(db), ...readVirtualShapes(db)]);
  const [unreadBefore, unreadNow] = [unreadTables(base), unreadTables(current)];
  const notCompared: NotCompared[] = [];
  for (const name of new Set([...unreadNow, ...unreadBefore].map((one) => one.name))) {
    const [was, is] = [unreadBefore, unreadNow].map((side) => side.find((one) => one.name === name));
    const { kind, why } = (is ?? was)!;
    const same = was !== undefined && is !== undefined && was.kept.length > 0 && (await sameContent(base, current, was.kept, is.kept));
    notCompared.push({ name, kind, why: same ? `${why}; it is as it was` : why, mayBeLost: !same });
  }
  const named = new Set(notCompared.map(({ name }) => name));
  return { plans: planTables(shapes(base), shapes(current)).filter(({ name }) => !named.has(name)), notCompared };
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
  const result: TableComparison = { inserted: 0, updated: 0, deleted: 0, by, key, newColumns, droppedColumns, renamedColumns };
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

interface Row {
  /** What rows are matched and sorted by. */
  match: Value[];
  /** Columns of both sides. */
  compared: Value[];
  /** What was filled into columns that the current side alone has, as text; null where nothing was. */
  filled: (string | null)[];
  /** Columns whose value is too large to be here: it is null in `row` and `cells`. */
  leftOut: string[];
  /** Every column, as text. */
  readonly row: Record<string, string | null>;
  /** Every column. */
  readonly cells: Record<string, Value>;
}

function* rowsOf(db: DatabaseSync, shape: TableShape | null, plan: TablePlan): Generator<Row> {
  if (shape === null) return;
  const names = shape.columns.map(({ name }) => name);
  const own = (columns: readonly string[]): string[] => columns.map((column) => columnOf(plan, shape, column));
  const matched = own(plan.by === "primary key" ? plan.key : plan.compared);
  const digests = plan.large && plan.by === "multiset";
  const order = matched.map((column) => sortedSql(shape.utf16, digests ? comparableSql(shape, column) : quote(column))).join(", ");
  const cellsOf = readerOf(db, shape, plan);
  const places = (columns: readonly string[]): number[] => columns.map((column) => names.indexOf(column));
  const [matchPlaces, comparedPlaces] = [places(matched), places(own(plan.compared))];
  const added = plan.added.map(({ name, unfilled }) => ({ place: shape === plan.base ? -1 : names.indexOf(name), unfilled }));
  for (const { cells, leftOut } of cellsOf(order === "" ? "" : ` ORDER BY ${order}`)) {
    const told = (place: number): Value => (plan.large ? comparable(cells[place] ?? null) : (cells[place] ?? null));
    const held = (place: number): Value => (leftOut.includes(place) ? null : (cells[place] ?? null));
    yield {
      match: matchPlaces.map(digests ? told : (place) => cells[place] ?? null),
      compared: comparedPlaces.map(told),
      filled: added.map(({ place, unfilled }) => (place < 0 || sameValue(cells[place] ?? null, unfilled) ? null : signed(told(place)))),
      leftOut: leftOut.map((place) => names[place]!),
      get row() {
        return Object.fromEntries(names.map((name, place) => [name, textOf(held(place))]));
      },
      get cells() {
        return Object.fromEntries(names.map((name, place) => [name, held(place)]));
      },
    };
  }
}

/** Told from every other value, storage class included. */
function signed(value: Value): string {
  const text = textOf(value);
  return text === null ? "null" : `${classNameOf(value)}${text.length}:${text}`;
}

/** What stands for bytes that are no UTF-8, in a string of SQLite's. */
const REPLACED = "\uFFFD";

interface Read {
  cells: Value[];
  /** Places of values of which only the digest was read. */
  leftOut: number[];
}

const NONE: number[] = [];

/** Reads whole rows. Text that may not be what the file holds is read again as bytes: by the row's number, or, where there is none, always. */
function readerOf(db: DatabaseSync, shape: TableShape, plan: TablePlan): (order: string) => Iterable<Read> {
  const { name, columns, rowNumber, utf16 } = shape;
  const plain = columns.map((column) => (plan.large ? readableSql(plan, shape, column.name) : quote(column.name)));
  const exact = plain.map((value) => `${value}, CASE WHEN typeof(${value}) = 'text' THEN ${textBytes(utf16, value)} END`);
  const prepare = (list: readonly string[], rest: string) => {
    const statement = db.prepare(
      `SELECT ${[...list, plan.large ? leftOutSql(plan, shape) : "''"].join(", ")} FROM main.${quote(name)}${rest}`,
    );
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement;
  };
  const read = (cells: Value[]): Read => {
    const places = cells.pop() as string;
    return { cells, leftOut: places === "" ? NONE : places.split(",").map(Number) };
  };
  if (rowNumber === null)
    return function* (order) {
      for (const row of prepare(exact, order).iterate() as unknown as Iterable<Value[]>) {
        const { cells, leftOut } = read(row);
        yield { cells: withBytes(cells), leftOut };
      }
    };
  let again: ReturnType<typeof prepare> | null = null;
  return function* (order) {
    for (const row of prepare([...plain, rowNumber], order).iterate() as unknown as Iterable<Value[]>) {
      const { cells, leftOut } = read(row);
      const number = cells.pop()!;
      if (!cells.some((cell) => typeof cell === "string" && cell.includes(REPLACED))) yield { cells, leftOut };
      else {
        again ??= prepare(exact, ` WHERE ${rowNumber} = ?`);
        yield { cells: withBytes(read(again.get(number as bigint) as unknown as Value[]).cells), leftOut };
      }
    }
  };
}

/** @param cells pairs of a value and, of text, its bytes */
function withBytes(cells: Value[]): Value[] {
  return Array.from({ length: cells.length / 2 }, (_, place) => {
    const [value, bytes] = [cells[2 * place]!, cells[2 * place + 1]!];
    return bytes instanceof Uint8Array && !isUtf8(bytes) ? new InvalidText(bytes) : value;
  });
}

/** A file is read without waiting for anything: the process is let go on with the rest of its work in between. */
const A_WHILE_ROWS = 2_000;

interface Pair {
  before: Row | null;
  after: Row | null;
  /** How many equal rows the later side has had so far, this one included; null where a key tells which row it is. */
  copies: number | null;
}

/** Merges two sorted sides, one group of rows of equal match after the other. */
function* differences(old: Iterator<Row>, now: Iterator<Row>, { by }: TablePlan): Generator<Pair | "a while"> {
  const [was, is] = [new Side(old), new Side(now)];
  let groups = 0;
  while (was.head !== null || is.head !== null) {
    if (++groups % A_WHILE_ROWS === 0) yield "a while";
    const order = was.head === null ? 1 : is.head === null ? -1 : compareRows(was.head.match, is.head.match);
    const match = (order > 0 ? is : was).head!.match;
    const before = order <= 0 ? was.group(match) : [];
    const after = order >= 0 ? is.group(match) : [];
    // Several rows may have NULL in their key: it does not tell them apart.
    const keyed = by === "primary key" && !match.includes(null);
    const [one, other] = [before[0]?.row ?? null, after[0]?.row ?? null];
    const several = before.some(({ count }) => count > 1) || after.some(({ count }) => count > 1) || before.length > 1 || after.length > 1;
    if (!several && one !== null && other !== null && sameRow(one, other)) continue;
    if (keyed && !several) yield { before: one, after: other, copies: null };
    else yield* multiset(before, after);
  }
}

/** Rows that are equal in every compared column, storage class included. */
interface Equal {
  row: Row;
  count: number;
}

class Side {
  head: Row | null;
  private readonly rows: Iterator<Row>;

  constructor(rows: Iterator<Row>) {
    this.rows = rows;
    this.head = next(rows);
  }

  /** Takes the rows of this match, equal ones as one with their number. */
  group(match: Value[]): Equal[] {
    const first = this.head!;
    this.head = next(this.rows);
    if (this.head === null || compareRows(this.head.match, match) !== 0) return [{ row: first, count: 1 }];
    const equal = new Map([[signatureOf(first), { row: first, count: 1 }]]);
    for (; this.head !== null && compareRows(this.head.match, match) === 0; this.head = next(this.rows)) {
      const signature = signatureOf(this.head);
      const known = equal.get(signature);
      if (known === undefined) equal.set(signature, { row: this.head, count: 1 });
      else known.count++;
    }
    return [...equal.values()];
  }
}

function sameRow(one: Row, other: Row): boolean {
  return (
    one.compared.every((value, place) => sameValue(value, other.compared[place]!)) &&
    one.filled.every((text, place) => text === other.filled[place])
  );
}

function signatureOf({ compared, filled }: Row): string {
  return [...compared.map(signed), ...filled.map((text) => text ?? "")].join("\0");
}

/** Equal rows pair off one by one. Of the rest, those that differ in a column that was filled in are updates; the others came or went. */
function* multiset(before: Equal[], after: Equal[]): Generator<Pair> {
  const core = ({ row }: Equal): string => row.compared.map(signed).join("\0");
  const left = (side: Equal[], other: Equal[]): Equal[] =>
    side.map(({ row, count }) => {
      const same = other.find((one) => signatureOf(one.row) === signatureOf(row))?.count ?? 0;
      return { row, count: Math.max(0, count - same) };
    });
  const [gone, come] = [left(before, after), left(after, before)];
  for (const was of gone)
    for (const is of come)
      if (core(was) === core(is))
        for (; was.count > 0 && is.count > 0; was.count--, is.count--)
          yield { before: was.row, after: is.row, copies: held(after, core(is), core) };
  for (const was of gone) for (; was.count > 0; was.count--) yield { before: was.row, after: null, copies: held(after, core(was), core) };
  for (const is of come)
    for (; is.count > 0; is.count--) yield { before: null, after: is.row, copies: held(after, core(is), core) - is.count + 1 };
}

function held(side: Equal[], wanted: string, core: (one: Equal) => string): number {
  return side.reduce((sum, one) => (core(one) === wanted ? sum + one.count : sum), 0);
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
