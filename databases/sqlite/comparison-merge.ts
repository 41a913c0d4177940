/** Merges two sorted sides of rows into those that differ. Pure. */
import type { Row } from "./comparison-rows.ts";
import type { TablePlan } from "./shape.ts";
import { compareValues, sameValue, signed, type Value } from "./values.ts";

/** A file is read without waiting for anything: the process is let go on with the rest of its work in between. */
const A_WHILE_ROWS = 2_000;

interface Pair {
  before: Row | null;
  after: Row | null;
  /** How many equal rows the later side has had so far, this one included; null where a key tells which row it is. */
  copies: number | null;
}

/** Merges two sorted sides, one group of rows of equal match after the other. */
export function* differences(old: Iterator<Row>, now: Iterator<Row>, { by }: TablePlan): Generator<Pair | "a while"> {
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
