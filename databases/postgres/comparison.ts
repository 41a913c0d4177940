/** Which rows were inserted, updated and deleted between two databases that descend from each other. */
import type { Client } from "pg";
import { leftOutOf, longestRow } from "./comparison-large.ts";
import { unescaped } from "./any-bytes.ts";
import { bucketCount, bucketSql, countSql, PAGES, streamSql } from "./comparison-sql.ts";
import { planEverything } from "./comparison-beyond.ts";
import type { SequenceMoves } from "../shared/sequences.ts";
import { type NotCompared, ROW_BYTES, tooLargeIn } from "../shared/not-compared.ts";
import { AS_TEXT, differences, RowStream, textRow, type Pair } from "./comparison-rows.ts";
import { type TextRow, columnOf, type OnDifference, type ComparedRows } from "../shared/comparison.ts";
import { planTables, readShapes, type TablePlan, type TableShape } from "./comparison-shape.ts";

export interface TableComparison extends ComparedRows {
  exists: NonNullable<ComparedRows["exists"]>;
  /** Columns of the current side alone: a row counts as updated where a value was filled in. */
  newColumns: string[];
  droppedColumns: string[];
  /** Base side's name of a column → the current side's, where it was renamed. */
  renamedColumns: Record<string, string>;
  /** Columns whose type differs; compared by their text, so a rewriting change of type marks every row whose text changed. */
  retypedColumns: string[];
  rows: { base: number; current: number };
  /** Differing rows by column whose values there are too large to be exported; absent: none. */
  tooLarge?: Record<string, number>;
}

/**
 * Compares the named tables, or every table of either side except the ledger of migrations, of a pristine snapshot (`base`) and a later state of it
 * (`current`); one consistent state per side. A named table that neither side has is in the result as `exists: "neither"`. Neither session may be in
 * a transaction.
 */
export async function compareDatabases(
  base: Client,
  current: Client,
  tables?: readonly string[],
): Promise<Record<string, TableComparison>> {
  return inSnapshots(base, current, async () => {
    const { plans, absent } = planTables(await readShapes(base), await readShapes(current), tables);
    const result = new Map(absent.map((table): [string, TableComparison] => [table, { ...NOTHING }]));
    for (const plan of plans) result.set(plan.name, await comparePlanned(base, current, plan));
    return Object.fromEntries(result);
  });
}

export interface DatabaseComparison {
  tables: Record<string, TableComparison>;
  /** What could not be compared, by name. */
  notCompared: NotCompared[];
  /** Sequences that moved. */
  sequences: SequenceMoves;
}

/**
 * Compares everything in two databases, one consistent state per side.
 * @param leftAlone schemas that a restore does not reach
 */
export async function compareEverything(base: Client, current: Client, leftAlone?: readonly string[]): Promise<DatabaseComparison> {
  return inSnapshots(base, current, async () => {
    const { plans, notCompared, sequences } = await planEverything(base, current, leftAlone);
    const tables: [string, TableComparison][] = [];
    for (const plan of plans) tables.push([plan.name, await comparePlanned(base, current, plan)]);
    return { tables: Object.fromEntries(tables), notCompared: [...notCompared, ...tooLargeIn(tables)], sequences };
  });
}

/** One consistent, read-only state on each side, so that digests and rows are of the same moment while others write. */
export async function inSnapshots<T>(base: Client, current: Client, work: () => Promise<T>): Promise<T> {
  const both = [base, current];
  try {
    for (const client of both) {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      // A policy that hides rows must fail the comparison, not shorten it.
      await client.query("SET LOCAL row_security = off");
      await client.query("SET LOCAL work_mem = '64MB'");
    }
    return await work();
  } finally {
    await Promise.allSettled(both.map((client) => client.query("ROLLBACK")));
  }
}

/** Runs one plan inside `inSnapshots`. */
export async function comparePlanned(
  base: Client,
  current: Client,
  plan: TablePlan,
  onDifference?: OnDifference,
): Promise<TableComparison> {
  const longest = Math.max(await longestRow(base, plan.base), await longestRow(current, plan.current));
  const tally = new Tally({ ...plan, large: longest > ROW_BYTES }, longest, onDifference);
  if (plan.base === null) await wholeTable(current, plan.current!, "insert", tally);
  else if (plan.current === null) await wholeTable(base, plan.base, "delete", tally);
  else await differingBuckets(base, current, plan.base, plan.current, tally);
  return tally.result;
}

const NOTHING: TableComparison = {
  inserted: 0,
  updated: 0,
  deleted: 0,
  by: "multiset",
  key: [],
  exists: "neither",
  newColumns: [],
  droppedColumns: [],
  renamedColumns: {},
  retypedColumns: [],
  rows: { base: 0, current: 0 },
};

class Tally {
  readonly result: TableComparison;
  readonly plan: TablePlan;
  readonly onDifference: OnDifference | undefined;
  /** Bytes of the longest row's text that is read. */
  readonly longest: number;

  constructor(plan: TablePlan, longest: number, onDifference: OnDifference | undefined) {
    this.plan = plan;
    this.longest = Math.min(longest, ROW_BYTES);
    this.onDifference = onDifference;
    const { by, key, newColumns, droppedColumns, renamedColumns, retypedColumns } = plan;
    const exists = plan.base === null ? "current only" : plan.current === null ? "base only" : "both";
    const rows = { base: 0, current: 0 };
    this.result = {
      inserted: 0,
      updated: 0,
      deleted: 0,
      by,
      key,
      exists,
      newColumns,
      droppedColumns,
      renamedColumns,
      retypedColumns,
      rows,
    };
  }

  /** The first three cells are the matching text, the hash, and what is left out. */
  async add(pair: Pair): Promise<void> {
    const op = pair.before === null ? "insert" : pair.after === null ? "delete" : "update";
    this.result[op === "insert" ? "inserted" : op === "update" ? "updated" : "deleted"]++;
    const { by, key, name, base, current, renamedColumns } = this.plan;
    const [had, has] = [leftOutOf(base, pair.before?.[2] ?? null), leftOutOf(current, pair.after?.[2] ?? null)];
    for (const column of new Set([...had.map((one) => renamedColumns[one] ?? one), ...has]))
      this.result.tooLarge = { ...this.result.tooLarge, [column]: (this.result.tooLarge?.[column] ?? 0) + 1 };
    if (this.onDifference === undefined) return;
    const { row: before, classes: wasOf } = this.read(base, pair.before);
    const { row, classes: isOf } = this.read(current, pair.after);
    const classes = { ...(wasOf !== null && { before: wasOf }), ...(isOf !== null && { row: isOf }) };
    const tooLarge = { ...(had.length > 0 && { before: had }), ...(has.length > 0 && { row: has }) };
    const keyed = by === "primary key" ? Object.fromEntries(key.map((column) => [column, valueIn(this.plan, row, before, column)])) : null;
    await this.onDifference({
      table: name,
      op,
      key: keyed,
      before,
      row,
      ...(by === "multiset" && { copies: pair.copies }),
      ...(had.length + has.length > 0 && { tooLarge }),
      ...((wasOf ?? isOf) !== null && { classes }),
    });
  }

  private read(side: TableShape | null, cells: Pair["before"]): { row: TextRow | null; classes: Record<string, string> | null } {
    if (cells === null) return { row: null, classes: null };
    const row = textRow(columnsOf(side), cells.slice(3));
    return this.plan.anyBytes ? unescaped(row) : { row, classes: null };
  }
}

function valueIn(plan: TablePlan, row: TextRow | null, before: TextRow | null, column: string): string | null {
  if (row !== null) return row[column] ?? null;
  return before?.[plan.base === null ? column : columnOf(plan, plan.base, column)] ?? null;
}

function columnsOf(side: TableShape | null): string[] {
  return side?.columns.map((column) => column.name) ?? [];
}

const ONE_BUCKET: [string, string[]] = ["0", ["0"]];

/** A table of one side only: every row counts, so there is nothing to narrow down by digests. */
async function wholeTable(client: Client, side: TableShape, op: "insert" | "delete", tally: Tally): Promise<void> {
  const { result } = tally;
  if (tally.onDifference === undefined && !tally.plan.large) {
    const { rows } = await client.query<{ rows: string }>(countSql(side));
    result[op === "insert" ? "inserted" : "deleted"] = Number(rows[0]?.rows ?? 0);
  } else {
    const withRows = tally.onDifference !== undefined;
    const open = () => new RowStream(client, streamSql(tally.plan, side, withRows), ONE_BUCKET, withRows ? tally.longest : 0);
    await (op === "insert" ? eachDifference(null, open, tally) : eachDifference(open, null, tally));
  }
  if (op === "insert") result.rows.current = result.inserted;
  else result.rows.base = result.deleted;
}

async function differingBuckets(base: Client, current: Client, was: TableShape, is: TableShape, tally: Tally): Promise<void> {
  const { plan } = tally;
  const mask = String(bucketCount(Math.max(await pages(base, was), await pages(current, is))) - 1);
  const [before, after] = await Promise.all([buckets(base, plan, was, mask), buckets(current, plan, is, mask)]);
  tally.result.rows = { base: before.rows, current: after.rows };
  const all = new Set([...before.digests.keys(), ...after.digests.keys()]);
  const differing = [...all].filter((bucket) => before.digests.get(bucket) !== after.digests.get(bucket));
  if (differing.length === 0) return;
  const withRows = tally.onDifference !== undefined;
  const longest = withRows ? tally.longest : 0;
  const old = () => new RowStream(base, streamSql(plan, was, withRows), [mask, differing], longest);
  const now = () => new RowStream(current, streamSql(plan, is, withRows), [mask, differing], longest);
  await eachDifference(old, now, tally);
}

/** Whatever fails, no stream stays open: an open one would block its session for ever. */
async function eachDifference(openOld: (() => RowStream) | null, openNow: (() => RowStream) | null, tally: Tally): Promise<void> {
  let old: RowStream | null = null;
  let now: RowStream | null = null;
  try {
    old = openOld?.() ?? null;
    now = openNow?.() ?? null;
    for await (const pair of differences(old, now)) await tally.add(pair);
  } finally {
    old?.close();
    now?.close();
  }
}

async function pages(client: Client, side: TableShape): Promise<number> {
  const { rows } = await client.query<{ pages: string }>(PAGES, [side.schema, side.table]);
  return Number(rows[0]?.pages ?? 0);
}

interface Buckets {
  rows: number;
  digests: Map<string, string>;
}

async function buckets(client: Client, plan: TablePlan, side: TableShape, mask: string): Promise<Buckets> {
  const query = { text: bucketSql(plan, side), values: [mask], rowMode: "array" as const, types: AS_TEXT };
  const result = await client.query<[string, string, string]>(query);
  let rows = 0;
  const digests = new Map<string, string>();
  for (const [bucket, count, sum] of result.rows) {
    rows += Number(count);
    digests.set(bucket, `${count} ${sum}`);
  }
  return { rows, digests };
}
