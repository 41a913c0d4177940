/** Rows of a file in the order they are compared in, every value as it lies there. */
import type { DatabaseSync } from "node:sqlite";
import { isUtf8 } from "node:buffer";
import { columnOf } from "../shared/comparison.ts";
import { quote } from "../shared/identifiers.ts";
import { comparable, comparableSql, leftOutSql, readableSql } from "./large.ts";
import type { TablePlan, TableShape } from "./shape.ts";
import { sortedSql, textBytes } from "./text-bytes.ts";
import { InvalidText, sameValue, signed, textOf, type Value } from "./values.ts";

export interface Row {
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

export function* rowsOf(db: DatabaseSync, shape: TableShape | null, plan: TablePlan): Generator<Row> {
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
