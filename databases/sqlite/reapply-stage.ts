/** Brings the rows of an export into temporary tables beside the live ones, compared with what the live file has. */
import { createReadStream } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Difference } from "../shared/comparison.ts";
import { linesOf, parseJsonLine } from "../shared/export-format.ts";
import { DETAIL, LINE, OP, REASON, UNCHANGED, type StagedTable } from "../shared/reapply/decide.ts";
import { differenceUnder } from "../shared/reapply/renames.ts";
import { Conflict } from "../shared/reapply/result.ts";
import { bound } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import type { Columns, Target } from "./reapply-target.ts";
import { InvalidText, sameValue, textOf, valueOf, type Affinity, type StorageClass, type Value } from "./values.ts";

type Row = Record<string, Value>;

export interface Staged extends StagedTable {
  target: Target;
  path: string;
}

const COPIES = quote("backout:copies");
const place = (index: number): string => quote(`backout:place ${index}`);

/** Such a column keeps every value as the live one does. */
const DECLARED: Record<Affinity, string> = { text: "TEXT", real: "REAL", numeric: "NUMERIC", none: "" };

export async function stage(db: DatabaseSync, columns: Columns, target: Target, path: string, number: number): Promise<Staged> {
  const staged = `temp.${quote(`backout_rows_${number}`)}`;
  const names = [...target.writable.keys()];
  const places = target.address.map((_, index) => place(index));
  const declared = [
    `${LINE} INTEGER PRIMARY KEY`,
    ...[OP, REASON, DETAIL, COPIES],
    // Of the same affinity as what they are compared with, or no index would help.
    ...target.address.map((column, index) => `${place(index)} ${DECLARED[target.writable.get(column) ?? "numeric"]}`),
    ...[...target.writable].map(([name, affinity]) => `${quote(name)} ${DECLARED[affinity]}`),
  ];
  db.exec(`CREATE TABLE ${staged} (${declared.join(", ")})`);
  const all = [LINE, OP, REASON, DETAIL, COPIES, ...places, ...names.map(quote)];
  const put = db.prepare(`INSERT INTO ${staged} (${all.join(", ")}) VALUES (${all.map((_, index) => `$${index + 1}`).join(", ")})`);
  const find = target.key.length === 0 ? null : finder(db, target);
  let had: Set<string> | null = null;
  let counted = false;
  let line = 0;
  for await (const text of linesOf(createReadStream(path))) {
    const difference = differenceUnder(parseJsonLine(target.name, text), target.renames);
    counted ||= difference.copies !== undefined;
    if (difference.before !== null) had ??= new Set(Object.keys(difference.before));
    const { row, at, reason, detail } = outcomeOf(columns, target, difference, find);
    const values = names.map((name) => row[name] ?? null);
    put.run(
      bound([
        ++line,
        difference.op,
        reason,
        detail,
        difference.copies ?? null,
        ...target.address.map((_, i) => at?.[i] ?? null),
        ...values,
      ]),
    );
  }
  const table: Staged = {
    name: target.name,
    staged,
    live: target.identifier,
    place: target.address.map((column, index) => ({ live: quote(column), staged: place(index) })),
    uniques: target.uniques,
    target,
    path,
  };
  if (counted) byCopies(db, table, had);
  db.exec(`CREATE INDEX temp.${quote(`backout_places_${number}`)} ON ${quote(`backout_rows_${number}`)} (${places.join(", ")})`);
  return table;
}

interface Outcome {
  /** The row as it will be, or, for a delete, is. */
  row: Row;
  /** Where the live row is that it is about. */
  at: Value[] | null;
  /** Null: it is to be written. */
  reason: string | null;
  detail: string | null;
}

type Find = (key: Value[]) => { row: Row; at: Value[] }[];

function outcomeOf(columns: Columns, target: Target, difference: Difference, find: Find | null): Outcome {
  try {
    const { op, classes, tooLarge: { before: had = [], row: has = [] } = {} } = difference;
    const missing = [...new Set([...had, ...has])].join(", ");
    if (missing !== "") throw new Conflict("value not held", `${missing}: too large to be exported: it is in what was set aside only`);
    const row = difference.row && held(columns, target, difference.row, classes?.row);
    const before = difference.before && held(columns, target, difference.before, classes?.before);
    if (find === null || difference.copies !== undefined) return { row: (row ?? before)!, at: null, reason: null, detail: null };
    return compared(target, op, row, before, find);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    return { row: {}, at: null, reason: error.reason, detail: error.message };
  }
}

function compared(target: Target, op: Difference["op"], row: Row | null, before: Row | null, find: Find): Outcome {
  const key = target.key.map((column) => (row ?? before)![column] ?? null);
  const found = find(key);
  if (found.length > 1) throw new Conflict("changed on both sides", `the live file has ${found.length} rows with this key`);
  const there = found[0] ?? null;
  const skipped = (reason: string): Outcome => ({ row: (row ?? before)!, at: null, reason, detail: null });
  // A key that only the column's collation takes for this one belongs to another row.
  const its = there !== null && target.key.every((column, index) => sameValue(there.row[column]!, key[index]!)) ? there : null;
  if (op === "insert") {
    if (its === null) return { row: row!, at: null, reason: null, detail: null };
    const differs = differing(target, its.row, row!);
    if (differs.length === 0) return skipped(UNCHANGED);
    throw new Conflict("changed on both sides", `the live file has another row with this key; it differs in ${differs.join(", ")}`);
  }
  if (op === "delete") {
    if (its === null) return skipped(UNCHANGED);
    const since = differing(target, its.row, before!);
    if (since.length > 0) throw new Conflict("changed on both sides", `the live row was changed since: ${since.join(", ")}`);
    return { row: its.row, at: its.at, reason: null, detail: null };
  }
  if (differing(target, before!, row!).filter((column) => column in before!).length === 0) return skipped("not held");
  if (its === null) throw new Conflict("row gone", "the live file has no row with this key");
  if (differing(target, its.row, row!).length === 0) return skipped(UNCHANGED);
  const since = differing(target, its.row, before!);
  if (since.length > 0) throw new Conflict("changed on both sides", `the live row was changed, too: ${since.join(", ")}`);
  return { row: { ...its.row, ...row }, at: its.at, reason: null, detail: null };
}

/** By key, every column that can be written. */
function finder(db: DatabaseSync, target: Target): Find {
  const names = [...target.writable.keys()];
  const where = target.key.map((column, index) => `${quote(column)} IS $${index + 1}`).join(" AND ");
  const statement = exact(
    db.prepare(`SELECT ${[...target.address, ...names].map(quote).join(", ")} FROM ${target.identifier} WHERE ${where}`),
  );
  return (key) =>
    (statement.all(bound(key)) as unknown as Value[][]).map((cells) => ({
      at: cells.slice(0, target.address.length),
      row: Object.fromEntries(names.map((name, index) => [name, cells[target.address.length + index]!])),
    }));
}

function exact(statement: StatementSync): StatementSync {
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return statement;
}

function differing(target: Target, one: Row, other: Row): string[] {
  return target.held.filter((column) => column in one && column in other && !sameValue(one[column]!, other[column]!));
}

/** A row as the live table keeps it: a value that does not survive the way there and back is a conflict, never rounded. */
function held(columns: Columns, target: Target, row: Record<string, string | null>, classes?: Record<string, string>): Row {
  const result: Row = {};
  for (const column of target.held) {
    if (!(column in row)) continue;
    const value = valueOf(row[column]!, target.types.get(column) ?? "", classes?.[column] as StorageClass | undefined);
    const change = target.retyped.get(column);
    const kept = change === undefined ? value : columns.held(value, change);
    if (kept instanceof InvalidText)
      throw new Conflict("value not held", `${column}: ${textOf(kept)} is text that is no UTF-8: it stays in the export`);
    if (kept === undefined)
      throw new Conflict("value not held", `${column}: value ${textOf(value)} does not come back from a ${change!.to} column as it was`);
    result[column] = kept;
  }
  return result;
}

/** Values of a row as one text: equal texts are the same values of the same storage classes. */
export function contentOf(columns: readonly string[]): string {
  return columns
    .map(
      (column) =>
        `CASE typeof(${column}) WHEN 'text' THEN 't' || hex(${column}) WHEN 'blob' THEN 'b' || hex(${column}) ELSE quote(${column}) END`,
    )
    .join(" || ',' || ");
}

/** Without a key, or with NULL in it, only the number of equal rows can be corrected; `copies` is what it must be at least, or at most for a delete. */
function byCopies(db: DatabaseSync, { staged, target }: Staged, had: Set<string> | null): void {
  const compared = target.held.filter((column) => had === null || had.has(column)).map(quote);
  // A column may have the name that every table has for its rows' numbers.
  const content = contentOf(compared);
  const contentOfRow = contentOf(compared.map((column) => `s.${column}`));
  const addresses = target.address.map((column, index) => `${quote(column)} AS at_${index}`).join(", ");
  db.exec(`
    CREATE TABLE temp.backout_copies AS SELECT ${addresses}, ${content} AS content, row_number() OVER (PARTITION BY ${content}) AS number FROM ${target.identifier};
    CREATE INDEX temp.backout_copied ON backout_copies (content, number);
    UPDATE ${staged} SET ${REASON} = 'not held' WHERE ${OP} = 'update' AND ${REASON} IS NULL AND ${COPIES} IS NOT NULL;
    UPDATE ${staged} AS s SET ${REASON} = '${UNCHANGED}' WHERE ${REASON} IS NULL AND ${OP} = 'insert'
       AND (SELECT count(*) FROM temp.backout_copies c WHERE c.content = ${contentOfRow}) >= ${COPIES};
    CREATE TABLE temp.backout_doomed AS SELECT ${LINE} AS line, ${content} AS content, ${COPIES} + row_number() OVER (PARTITION BY ${content} ORDER BY ${LINE}) AS number
      FROM ${staged} WHERE ${OP} = 'delete' AND ${REASON} IS NULL AND ${COPIES} IS NOT NULL;
    UPDATE ${staged} SET ${target.address.map((_, index) => `${place(index)} = c.at_${index}`).join(", ")}
      FROM temp.backout_doomed d JOIN temp.backout_copies c ON c.content = d.content AND c.number = d.number WHERE d.line = ${LINE};
    UPDATE ${staged} SET ${REASON} = '${UNCHANGED}' WHERE ${OP} = 'delete' AND ${REASON} IS NULL AND ${place(0)} IS NULL;
    DROP TABLE temp.backout_copies; DROP TABLE temp.backout_doomed`);
}
