/** Puts one difference back into the live file, or says why not. */
import type { DatabaseSync } from "node:sqlite";
import type { Difference } from "../postgres/comparison.ts";
import { Conflict } from "../postgres/reapply-passes.ts";
import { bound, first, quote } from "./database.ts";
import type { Columns, Reference, Target } from "./reapply-target.ts";
import { write } from "./reapply-write.ts";
import { sameValue, textOf, valueOf, type StorageClass, type Value } from "./values.ts";

type Row = Record<string, Value>;

export interface Live {
  db: DatabaseSync;
  columns: Columns;
}

/** Inside the caller's savepoint. Rows count as the same when every held column has the same value in the live file. @throws Conflict */
export function reapplyRow(live: Live, target: Target, difference: Difference): "done" | "already so" {
  const { op, classes } = difference;
  const row = difference.row && held(live, target, difference.row, classes?.row);
  const before = difference.before && held(live, target, difference.before, classes?.before);
  if (difference.key === null) return reapplyCopy(live, target, op, (row ?? before)!, difference.copies ?? 0);
  const key = target.key.map((column) => (row ?? before)![column] ?? null);
  if (op === "insert") return insertRow(live, target, row!, found(live, target, key));
  // A key that only the column's collation takes for this one belongs to another row.
  const there = found(live, target, key);
  const its = there !== null && target.key.every((column, place) => sameValue(there[column]!, key[place]!)) ? there : null;
  return op === "delete" ? deleteRow(live, target, key, before!, its) : updateRow(live, target, key, before!, row!, its);
}

function insertRow(live: Live, target: Target, row: Row, there: Row | null): "done" | "already so" {
  if (there !== null) {
    const differs = differing(target, there, row);
    if (differs.length === 0) return "already so";
    throw new Conflict("changed on both sides", `the live file has another row with this key; it differs in ${differs.join(", ")}`);
  }
  insert(live, target, row);
  return "done";
}

function updateRow({ db }: Live, target: Target, key: Value[], before: Row, row: Row, there: Row | null): "done" | "already so" {
  const changed = target.held.filter((column) => column in before && !sameValue(before[column]!, row[column]!));
  if (changed.length === 0) return "already so";
  if (there === null) throw new Conflict("row gone", "the live file has no row with this key");
  if (differing(target, there, row).length === 0) return "already so";
  const since = differing(target, there, before);
  if (since.length > 0) throw new Conflict("changed on both sides", `the live row was changed, too: ${since.join(", ")}`);
  const set = changed.map((column, place) => `${quote(column)} = $${place + 1}`).join(", ");
  const values = [...changed.map((column) => row[column]), ...key];
  const text = `UPDATE${target.orAbort} ${target.identifier} SET ${set} WHERE ${matches(target.key, changed.length)}`;
  writeRow(db, target, row, "update", text, values);
  for (const reference of target.children.filter(({ follows }) => !follows.updates)) {
    if (!reference.references.some((column) => changed.includes(column))) continue;
    const referred = reference.references.map((column) => there[column] ?? null);
    if (first(db, `SELECT 1 FROM ${reference.child} WHERE ${matches(reference.columns, 0)} LIMIT 1`, referred) !== null)
      throw new Conflict("still referenced", `rows of ${reference.child} refer to what it had`);
  }
  return "done";
}

function deleteRow({ db }: Live, target: Target, key: Value[], before: Row, there: Row | null): "done" | "already so" {
  if (there === null) return "already so";
  const since = differing(target, there, before);
  if (since.length > 0) throw new Conflict("changed on both sides", `the live row was changed since: ${since.join(", ")}`);
  remove(db, target, key);
  return "done";
}

/** Without a key only the number of equal rows can be put right; `copies` is what it must be at least, or at most for a delete. */
function reapplyCopy(live: Live, target: Target, op: Difference["op"], row: Row, copies: number): "done" | "already so" {
  const { db } = live;
  const same = target.held.map((column, place) => `t.${quote(column)} COLLATE BINARY IS $${place + 1}`).join(" AND ");
  const values = target.held.map((column) => row[column]);
  const { rows } = first<{ rows: number }>(db, `SELECT count(*) AS rows FROM ${target.identifier} t WHERE ${same}`, values)!;
  if (op === "insert" ? rows >= copies : rows <= copies) return "already so";
  if (op === "insert") insert(live, target, row);
  else {
    const address = target.address.map((column) => `t.${quote(column)}`).join(", ");
    remove(db, target, cells(db, `SELECT ${address} FROM ${target.identifier} t WHERE ${same} LIMIT 1`, values)[0]!);
  }
  return "done";
}

function insert({ db }: Live, target: Target, row: Row): void {
  const columns = target.held.map(quote).join(", ");
  const places = target.held.map((_, place) => `$${place + 1}`).join(", ");
  const values = target.held.map((column) => row[column]);
  writeRow(db, target, row, "insert", `INSERT${target.orAbort} INTO ${target.identifier} (${columns}) VALUES (${places})`, values);
}

/** SQLite does not say which foreign key failed; one that waits for the commit could no longer be told apart by row. */
function writeRow(db: DatabaseSync, target: Target, row: Row, what: "insert" | "update", text: string, values: readonly unknown[]): void {
  try {
    if (write(db, text, values) === 0) throw new Conflict("refused", `a trigger of the live table dropped the ${what}`);
  } catch (error) {
    if (error instanceof Conflict && error.reason === "missing parent") refuseOrphan(db, target, row);
    throw error;
  }
  refuseOrphan(db, target, row);
}

/** Rows the export does not know are never deleted or changed with it. */
function remove(db: DatabaseSync, target: Target, address: Value[]): void {
  for (const { child, columns, references, follows, toItself } of target.children) {
    const on = columns.map((column, place) => `p.${quote(references[place]!)} = c.${quote(column)}`).join(" AND ");
    const another = toItself
      ? ` AND NOT (${target.address.map((column) => `c.${quote(column)} IS p.${quote(column)}`).join(" AND ")})`
      : "";
    const text = `SELECT 1 FROM ${child} c, ${target.identifier} p WHERE ${on} AND ${matches(target.address, 0, "p.")}${another} LIMIT 1`;
    if (first(db, text, address) === null) continue;
    throw new Conflict(
      "still referenced",
      `rows of ${child} refer to it${follows.deletes ? " and would be deleted or changed with it" : ""}`,
    );
  }
  if (write(db, `DELETE FROM ${target.identifier} WHERE ${matches(target.address, 0)}`, address) === 0)
    throw new Conflict("refused", "a trigger of the live table dropped the delete");
}

function refuseOrphan(db: DatabaseSync, target: Target, row: Row): void {
  const missing = target.parents.find((reference) => !hasParent(db, reference, row));
  if (missing !== undefined) throw new Conflict("missing parent", describe(missing, row));
}

function hasParent(db: DatabaseSync, { parent, columns, references }: Reference, row: Row): boolean {
  const values = columns.map((column) => row[column]);
  if (values.some((value) => value === null || value === undefined)) return true;
  const same = references.map((column, place) => `${quote(column)} = $${place + 1}`).join(" AND ");
  return first(db, `SELECT 1 FROM ${parent} WHERE ${same} LIMIT 1`, values) !== null;
}

function describe({ parent, columns, references }: Reference, row: Row): string {
  const values = columns.map((column) => `${column} ${textOf(row[column] ?? null)}`).join(", ");
  return `${values}: ${parent} has no such ${references.join(", ")}`;
}

function found({ db }: Live, target: Target, key: Value[]): Row | null {
  const rows = cells(db, `SELECT ${target.held.map(quote).join(", ")} FROM ${target.identifier} WHERE ${matches(target.key, 0)}`, key);
  if (rows.length > 1) throw new Conflict("changed on both sides", `the live file has ${rows.length} rows with this key`);
  return rows[0] === undefined ? null : Object.fromEntries(target.held.map((column, place) => [column, rows[0]![place]!]));
}

function cells(db: DatabaseSync, text: string, values: readonly unknown[]): Value[][] {
  const statement = db.prepare(text);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return statement.all(bound(values)) as unknown as Value[][];
}

function matches(columns: readonly string[], after: number, prefix = ""): string {
  return columns.map((column, place) => `${prefix}${quote(column)} IS $${after + place + 1}`).join(" AND ");
}

function differing(target: Target, one: Row, other: Row): string[] {
  return target.held.filter((column) => column in other && !sameValue(one[column]!, other[column]!));
}

/** A row as the live table keeps it: a value that does not survive the way there and back is a conflict, never rounded. */
function held(live: Live, target: Target, row: Record<string, string | null>, classes?: Record<string, string>): Row {
  const result: Row = {};
  for (const column of target.held) {
    if (!(column in row)) continue;
    const value = valueOf(row[column]!, target.types.get(column) ?? "", classes?.[column] as StorageClass | undefined);
    const change = target.retyped.get(column);
    const kept = change === undefined ? value : live.columns.held(value, change);
    if (kept === undefined)
      throw new Conflict("value not held", `${column}: value ${textOf(value)} does not come back from a ${change!.to} column as it was`);
    result[column] = kept;
  }
  return result;
}
