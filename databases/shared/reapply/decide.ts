/**
 * Decides for whole tables at once which staged rows can be put back, whatever the engine: what unique keys and foreign keys would refuse is marked
 * before anything is written. A row that stays may keep others from being written; this goes on until nothing more follows.
 */
import { quote } from "../identifiers.ts";
import type { ConflictReason } from "./result.ts";

/** Columns of a staged row beside those of its table. */
export const LINE = quote("backout:line");
export const OP = quote("backout:op");
/** Why the row is not written; NULL: it is to be. */
export const REASON = quote("backout:reason");
export const DETAIL = quote("backout:detail");
/** Reason of a row that the live data already has as it was exported. */
export const UNCHANGED = "unchanged";

/** How an engine says what others say otherwise. Values stand for `$1`, `$2` …. */
export interface Sql {
  /** @returns how many rows were changed */
  run(text: string, values?: readonly unknown[]): Promise<number>;
  all<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Several values as one text: equal values, equal text. */
  textOf(values: readonly string[]): string;
  /** Condition that a line is one of those of the parameter, a JSON array. */
  among(line: string, parameter: string): string;
  /** Makes rows of a staged table quick to find by these columns, where the engine does not find its own way. */
  index(staged: string, columns: readonly string[]): Promise<void>;
}

export interface UniqueKey {
  name: string;
  /** Expressions over the table's columns. */
  keys: string[];
  /** What values are compared under, by key, where it has to be said. */
  collations?: (string | null)[];
  where: string | null;
  /** NULL is a value like any other. */
  nullsEqual: boolean;
}

export interface StagedTable {
  name: string;
  /** Table of the staged rows: the columns of the live table hold what the row will be, or, for a delete, is. */
  staged: string;
  /** The live table as it stands after FROM. */
  live: string;
  /** What tells a live row from every other, in the live table and in its staged row. */
  place: { live: string; staged: string }[];
  uniques: UniqueKey[];
}

export interface ReferenceKey {
  child: { name: string; live: string };
  parent: { name: string; live: string };
  columns: string[];
  references: string[];
  /** A delete would be followed by the child's rows, or refused whatever comes later. */
  actsOnDelete: boolean;
}

export interface Decision {
  sql: Sql;
  tables: ReadonlyMap<string, StagedTable>;
  references: readonly ReferenceKey[];
}

/** @returns how often everything was looked at: it does not grow with the number of rows */
export async function decide({ sql, tables, references }: Decision): Promise<number> {
  for (const { parent, child, columns, references: referred } of references) {
    const [parents, children] = [tables.get(parent.name), tables.get(child.name)];
    if (parents !== undefined) await sql.index(parents.staged, referred.map(quote));
    if (children !== undefined) await sql.index(children.staged, columns.map(quote));
  }
  for (let rounds = 1; ; rounds++) {
    let marked = 0;
    for (const table of tables.values()) for (const unique of table.uniques) marked += await markTaken(sql, table, unique);
    for (const reference of references) {
      marked += await markStillReferenced(sql, tables, reference);
      marked += await markOrphans(sql, tables, reference);
    }
    if (marked === 0) return rounds;
  }
}

const todo = (row: string): string => `${row}.${REASON} IS NULL`;

export function samePlace({ place }: StagedTable, staged: string, live: string): string {
  return place.map((one) => `${staged}.${one.staged} = ${live}.${one.live}`).join(" AND ");
}

/** A live row that nothing deletes or updates. */
function stays(table: StagedTable | undefined, row: string): string {
  if (table === undefined) return "1 = 1";
  return `NOT EXISTS (SELECT 1 FROM ${table.staged} w WHERE ${todo("w")} AND w.${OP} <> 'insert' AND ${samePlace(table, "w", row)})`;
}

function equal(one: string, columns: readonly string[], other: string, others: readonly string[]): string {
  return columns.map((column, index) => `${one}.${quote(column)} = ${other}.${quote(others[index]!)}`).join(" AND ");
}

/** What rows will have, or have, under a unique key. */
export function newKeys({ staged }: StagedTable, { keys, where }: UniqueKey): string {
  const condition = where === null ? "" : ` AND (${where})`;
  return `(SELECT ${LINE} AS line, ${OP} AS op, ${named(keys)} FROM ${staged} WHERE ${REASON} IS NULL AND ${OP} <> 'delete'${condition})`;
}

export function liveKeys({ live, place }: StagedTable, { keys, where }: UniqueKey): string {
  return `(SELECT ${place.map((one) => one.live).join(", ")}, ${named(keys)} FROM ${live}${where === null ? "" : ` WHERE (${where})`})`;
}

function named(keys: readonly string[]): string {
  return keys.map((key, index) => `(${key}) AS backout_key_${index}`).join(", ");
}

export function sameKeys({ keys, collations, nullsEqual }: UniqueKey, one: string, other: string): string {
  return keys
    .map((_, index) => {
      const collation = collations?.[index] == null ? "" : ` COLLATE ${collations[index]}`;
      const sign = nullsEqual ? "IS NOT DISTINCT FROM" : "=";
      return `${one}.backout_key_${index} ${sign} ${other}.backout_key_${index}${collation}`;
    })
    .join(" AND ");
}

/** Values of a unique key that a row keeps which stays, or that two rows would have. */
async function markTaken(sql: Sql, table: StagedTable, unique: UniqueKey): Promise<number> {
  const why = ["constraint violated", `${unique.name}: another row has the same values`] as const;
  const keys = unique.keys.map((_, index) => `n.backout_key_${index}`);
  const known = unique.nullsEqual ? "" : `WHERE ${keys.map((key) => `${key} IS NOT NULL`).join(" AND ")}`;
  const twice = `SELECT line FROM (SELECT n.line, row_number() OVER (PARTITION BY ${keys.join(", ")} ORDER BY n.line) AS place FROM ${newKeys(table, unique)} n ${known}) d WHERE place > 1`;
  const taken = `SELECT n.line FROM ${newKeys(table, unique)} n JOIN ${liveKeys(table, unique)} t ON ${sameKeys(unique, "n", "t")} WHERE ${stays(table, "t")}`;
  const found = await linesOf(sql, `${twice} UNION ${taken}`);
  if (found.length === 0) return 0;
  // The live row of a line that is not written keeps its values, too.
  const places = table.place.map((one) => `t.${one.live} = s.${one.staged}`).join(" AND ");
  const had = await pairsOf(
    sql,
    `SELECT s.${LINE} AS line, ${sql.textOf(keys.map((key) => key.replace("n.", "t.")))} AS value FROM ${table.staged} s JOIN ${liveKeys(table, unique)} t ON ${places} WHERE ${todo("s")} AND s.${OP} <> 'insert'`,
  );
  const wanted = await pairsOf(sql, `SELECT n.line AS line, ${sql.textOf(keys)} AS value FROM ${newKeys(table, unique)} n ${known}`);
  return mark(sql, table, follow(found, had, wanted), ...why);
}

/** Rows that go, or change what others refer to, while others still refer to it. */
async function markStillReferenced(sql: Sql, tables: Decision["tables"], reference: ReferenceKey): Promise<number> {
  const { parent, child, columns, references, actsOnDelete } = reference;
  const [parents, children] = [tables.get(parent.name), tables.get(child.name)];
  if (parents === undefined) return 0;
  const changes = references.map((column) => `s.${quote(column)} IS DISTINCT FROM o.${quote(column)}`).join(" OR ");
  const elsewhere = [
    `NOT EXISTS (SELECT 1 FROM ${parent.live} p WHERE ${equal("p", references, "o", references)} AND ${stays(parents, "p")})`,
    `NOT EXISTS (SELECT 1 FROM ${parents.staged} q WHERE ${todo("q")} AND q.${OP} <> 'delete' AND ${equal("q", references, "o", references)})`,
  ].join(" AND ");
  const goes = `${todo("s")} AND (s.${OP} = 'delete' OR (s.${OP} = 'update' AND (${changes}))) AND (${actsOnDelete ? `s.${OP} = 'delete' OR ` : ""}(${elsewhere}))`;
  const from = `FROM ${parents.staged} s JOIN ${parent.live} o ON ${samePlace(parents, "s", "o")}`;
  const on = equal("o", references, "c", columns);
  const live = `SELECT s.${LINE} AS line ${from} JOIN ${child.live} c ON ${on} WHERE ${goes} AND ${stays(children, "c")}`;
  const coming =
    children === undefined
      ? ""
      : ` UNION SELECT s.${LINE} ${from} JOIN ${children.staged} c ON ${on} WHERE ${goes} AND ${todo("c")} AND c.${OP} <> 'delete'`;
  let found = await linesOf(sql, live + coming);
  if (found.length === 0) return 0;
  if (parents === children) {
    // A row that does not go refers to others of its own table.
    const at = samePlace(parents, "s", "o");
    const value = (names: readonly string[]): string => sql.textOf(names.map((name) => `o.${quote(name)}`));
    const rows = (names: readonly string[]): string =>
      `SELECT s.${LINE} AS line, ${value(names)} AS value FROM ${parents.staged} s JOIN ${parent.live} o ON ${at} WHERE ${todo("s")} AND s.${OP} = 'delete' AND ${names.map((name) => `o.${quote(name)} IS NOT NULL`).join(" AND ")}`;
    found = follow(found, await pairsOf(sql, rows(columns)), await pairsOf(sql, rows(references)));
  }
  const detail = `rows of ${child.name} refer to it${actsOnDelete ? " and would be deleted or changed with it" : ""}`;
  return mark(sql, parents, found, "still referenced", detail);
}

/** Rows whose parent is not there once everything is written. */
async function markOrphans(sql: Sql, tables: Decision["tables"], reference: ReferenceKey): Promise<number> {
  const { parent, child, columns, references } = reference;
  const [parents, children] = [tables.get(parent.name), tables.get(child.name)];
  if (children === undefined) return 0;
  const on = (row: string): string => equal(row, references, "s", columns);
  const lacking = [
    `NOT EXISTS (SELECT 1 FROM ${parent.live} p WHERE ${on("p")} AND ${stays(parents, "p")})`,
    ...(parents === undefined
      ? []
      : [`NOT EXISTS (SELECT 1 FROM ${parents.staged} q WHERE ${todo("q")} AND q.${OP} <> 'delete' AND ${on("q")})`]),
    // Who refers to nothing already may go on doing so.
    `NOT (s.${OP} = 'update' AND EXISTS (SELECT 1 FROM ${child.live} t WHERE ${samePlace(children, "s", "t")} AND ${equal("t", columns, "s", columns)}))`,
  ].join(" AND ");
  const refers = columns.map((column) => `s.${quote(column)} IS NOT NULL`).join(" AND ");
  let found = await linesOf(
    sql,
    `SELECT s.${LINE} AS line FROM ${children.staged} s WHERE ${todo("s")} AND s.${OP} <> 'delete' AND ${refers} AND ${lacking}`,
  );
  if (found.length === 0) return 0;
  if (parents === children) {
    const rows = (names: readonly string[], ops: string): string =>
      `SELECT s.${LINE} AS line, ${sql.textOf(names.map((name) => `s.${quote(name)}`))} AS value FROM ${children.staged} s WHERE ${todo("s")} AND s.${OP} ${ops} AND ${names.map((name) => `s.${quote(name)} IS NOT NULL`).join(" AND ")}`;
    found = follow(found, await pairsOf(sql, rows(references, "= 'insert'")), await pairsOf(sql, rows(columns, "<> 'delete'")));
  }
  const values = columns.map((column) => `'${column.replaceAll("'", "''")} ' || CAST(${quote(column)} AS text)`).join(" || ', ' || ");
  const detail = `: ${parent.name} has no such ${references.join(", ")}`;
  return mark(sql, children, found, "missing parent", detail, values);
}

/** Lines that follow from others: what a line has, others want. Each is visited once. */
function follow(first: readonly number[], has: readonly Pair[], wants: readonly Pair[]): number[] {
  const valueOf = new Map(has.map(({ line, value }) => [line, value]));
  const byValue = Map.groupBy(wants, ({ value }) => value);
  const reached = new Set(first);
  // A set hands out what is added while it is walked through.
  for (const line of reached) for (const next of byValue.get(valueOf.get(line) ?? "") ?? []) reached.add(next.line);
  return [...reached];
}

interface Pair {
  line: number;
  value: string;
}

async function linesOf(sql: Sql, text: string): Promise<number[]> {
  return (await sql.all<{ line: number | string }>(text)).map(({ line }) => Number(line));
}

async function pairsOf(sql: Sql, text: string): Promise<Pair[]> {
  return (await sql.all<{ line: number | string; value: string }>(text)).map(({ line, value }) => ({ line: Number(line), value }));
}

/** @param values SQL expression that precedes the detail */
export async function mark(
  sql: Sql,
  { staged }: Pick<StagedTable, "staged">,
  lines: readonly number[],
  reason: ConflictReason,
  detail: string,
  values?: string,
): Promise<number> {
  const told = values === undefined ? "CAST($2 AS text)" : `${values} || CAST($2 AS text)`;
  return sql.run(
    `UPDATE ${staged} SET ${REASON} = CAST($1 AS text), ${DETAIL} = ${told} WHERE ${REASON} IS NULL AND ${sql.among(LINE, "$3")}`,
    [reason, detail, JSON.stringify(lines)],
  );
}
