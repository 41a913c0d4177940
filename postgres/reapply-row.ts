/** Puts one difference back into the live database, or says why not. */
import type { Client } from "pg";
import type { Difference } from "./comparison.ts";
import { AS_TEXT, textRow, type TextRow } from "./comparison-rows.ts";
import { quote } from "./connection.ts";
import { Conflict } from "./reapply-passes.ts";
import type { Target } from "./reapply-target.ts";

/** Rows count as the same when every held column has the same text in the live database. */
export async function reapplyRow(live: Client, target: Target, difference: Difference): Promise<"done" | "already so"> {
  const row = difference.row && (await held(live, target, difference.row));
  const before = difference.before && (await held(live, target, difference.before));
  if (difference.key === null) return reapplyCopy(live, target, difference.op, (row ?? before)!, difference.copies ?? 0);
  const key = target.key.map((column) => difference.key![column] ?? null);
  const found = await lockedRow(live, target, key);
  if (difference.op === "insert") return insertRow(live, target, row!, found);
  if (difference.op === "delete") return deleteRow(live, target, key, before!, found);
  return updateRow(live, target, key, before!, row!, found);
}

async function insertRow(live: Client, target: Target, row: TextRow, found: TextRow | null): Promise<"done" | "already so"> {
  if (found !== null) {
    if (differing(target, found, row).length === 0) return "already so";
    throw new Conflict(
      "changed on both sides",
      `the live database has another row with this key; it differs in ${differing(target, found, row).join(", ")}`,
    );
  }
  await insert(live, target, row);
  return "done";
}

async function updateRow(live: Client, target: Target, key: TextRow[string][], before: TextRow, row: TextRow, found: TextRow | null) {
  const changed = target.held.filter((column) => column in before && before[column] !== row[column]);
  if (changed.length === 0) return "already so";
  if (found === null) throw new Conflict("row gone", "the live database has no row with this key");
  if (differing(target, found, row).length === 0) return "already so";
  const since = differing(target, found, before);
  if (since.length > 0) throw new Conflict("changed on both sides", `the live row was changed, too: ${since.join(", ")}`);
  const set = changed.map((column, place) => `${quote(column)} = $${place + 1}`).join(", ");
  const values = [...changed.map((column) => row[column]), ...key];
  const result = await live.query(`UPDATE ${target.identifier} SET ${set} WHERE ${matches(target.key, changed.length)}`, values);
  if (result.rowCount === 0) throw new Conflict("refused", "a trigger of the live table dropped the update");
  return "done";
}

async function deleteRow(live: Client, target: Target, key: TextRow[string][], before: TextRow, found: TextRow | null) {
  if (found === null) return "already so";
  const since = differing(target, found, before);
  if (since.length > 0) throw new Conflict("changed on both sides", `the live row was changed since: ${since.join(", ")}`);
  for (const { child, columns, references } of target.followers) {
    const on = columns.map((column, place) => `c.${quote(column)} = p.${quote(references[place]!)}`).join(" AND ");
    const { rowCount } = await live.query(
      `SELECT FROM ${child} c, ${target.identifier} p WHERE ${on} AND ${matches(target.key, 0, "p.")} LIMIT 1`,
      key,
    );
    if (rowCount !== 0) throw new Conflict("still referenced", `rows of ${child} refer to it and would be deleted or changed with it`);
  }
  const result = await live.query(`DELETE FROM ${target.identifier} WHERE ${matches(target.key, 0)}`, key);
  if (result.rowCount === 0) throw new Conflict("refused", "a trigger of the live table dropped the delete");
  return "done";
}

/** Without a key only the number of equal rows can be put right; `copies` is what it must be at least, or at most for a delete. */
async function reapplyCopy(live: Client, target: Target, op: Difference["op"], row: TextRow, copies: number) {
  const same = target.held
    .map((column, place) => `t.${quote(column)}::text IS NOT DISTINCT FROM ($${place + 1}::${typeOf(target, column)})::text`)
    .join(" AND ");
  const values = target.held.map((column) => row[column]);
  const equal = await live.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${target.identifier} t WHERE ${same}`, values);
  const count = equal.rows[0]?.rows ?? 0;
  if (op === "insert" ? count >= copies : count <= copies) return "already so";
  if (op === "insert") {
    await insert(live, target, row);
    return "done";
  }
  const one = `SELECT t.tableoid, t.ctid FROM ${target.identifier} t WHERE ${same} LIMIT 1`;
  const result = await live.query(`DELETE FROM ${target.identifier} WHERE (tableoid, ctid) IN (${one})`, values);
  if (result.rowCount === 0) throw new Conflict("refused", "a trigger of the live table dropped the delete");
  return "done";
}

function typeOf(target: Target, column: string): string {
  return target.shape.columns.find(({ name }) => name === column)!.type;
}

async function insert(live: Client, target: Target, row: TextRow): Promise<void> {
  const columns = target.held.map(quote).join(", ");
  const places = target.held.map((_, place) => `$${place + 1}`).join(", ");
  // Keys the server generates have to keep the value they had.
  const text = `INSERT INTO ${target.identifier} (${columns}) OVERRIDING SYSTEM VALUE VALUES (${places})`;
  const values = target.held.map((column) => row[column]);
  const { rowCount } = await live.query(text, values);
  if (rowCount === 0) throw new Conflict("refused", "a trigger of the live table dropped the insert");
}

async function lockedRow(live: Client, target: Target, key: TextRow[string][]): Promise<TextRow | null> {
  const columns = target.held.map(quote).join(", ");
  const text = `SELECT ${columns} FROM ${target.identifier} WHERE ${matches(target.key, 0)} FOR UPDATE`;
  const { rows } = await live.query<(string | null)[]>({ text, values: key, rowMode: "array", types: AS_TEXT });
  if (rows.length > 1) throw new Conflict("changed on both sides", `the live database has ${rows.length} rows with this key`);
  return rows[0] === undefined ? null : textRow(target.held, rows[0]);
}

function matches(key: readonly string[], after: number, prefix = ""): string {
  return key.map((column, place) => `${prefix}${quote(column)} = $${after + place + 1}`).join(" AND ");
}

function differing(target: Target, one: TextRow, other: TextRow): string[] {
  return target.held.filter((column) => column in other && one[column] !== other[column]);
}

/** A row in the live table's types: a value that does not survive the way there and back is a conflict, never rounded. */
async function held(live: Client, target: Target, row: TextRow): Promise<TextRow> {
  const here = [...target.retyped].filter(([column]) => row[column] !== null && row[column] !== undefined);
  if (here.length === 0) return row;
  const result = { ...row };
  for (const [column, { from, to }] of here) {
    const value = row[column]!;
    const text = `SELECT ($1::text)::${to}, ($1::text)::${to}::text`;
    const there = await live.query<(string | null)[]>({ text, values: [value], rowMode: "array", types: AS_TEXT });
    const [shown] = there.rows[0]!;
    if (shown !== value && !(await survives(live, shown!, value, from))) {
      throw new Conflict("value not held", `${column}: ${from} value ${value} does not fit ${to}, which would keep ${shown}`);
    }
    result[column] = shown ?? null;
  }
  return result;
}

async function survives(live: Client, shown: string, value: string, from: string): Promise<boolean> {
  const known = await live.query<{ known: boolean }>("SELECT to_regtype($1) IS NOT NULL AS known", [from]);
  if (known.rows[0]?.known !== true) return false;
  const text = `SELECT ($1::text)::${from}, ($2::text)::${from}`;
  const { rows } = await live.query<(string | null)[]>({ text, values: [shown, value], rowMode: "array", types: AS_TEXT });
  return rows[0]![0] === rows[0]![1];
}
