/**
 * Writes what was decided, a statement a table: rows without a key go first, then updates, deletes children first, and inserts parents first. What the
 * database refuses all the same is found by halving and reported.
 */
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";
import type { Refused } from "../shared/reapply/write.ts";
import { writeInBulk } from "../shared/reapply/bulk.ts";
import { LINE, OP, REASON, samePlace } from "../shared/reapply/decide.ts";
import { Conflict } from "../shared/reapply/result.ts";
import { SWAPS, type Staged } from "./reapply-stage.ts";
import { resume, suspend, swaps, type Suspended } from "./reapply-swaps.ts";
import type { LiveReference } from "./reapply-target.ts";

export interface Writing {
  live: Client;
  /** Parents before children. */
  tables: readonly Staged[];
  references: readonly LiveReference[];
}

/** @returns rows that were refused; the decision has to be made again without them, since others may rest on them */
export async function writeAll({ live, tables, references }: Writing): Promise<Refused[]> {
  const refused: Refused[] = [];
  const into = async (table: Staged, found: Promise<{ line: number; conflict: Conflict }[]>): Promise<void> =>
    void refused.push(...(await found).map((one) => ({ table: table.name, ...one })));
  const [keyed, keyless] = [tables.filter(isKeyed), tables.filter((table) => !isKeyed(table))];
  for (const table of keyless.toReversed()) await into(table, deletes(live, table, references, tables));
  const away: Suspended[] = [];
  const generated = await giveNumbers(live, keyed);
  for (const table of keyed) {
    const { refused: held, later } = await suspend(live, table, await swaps(live, table, references));
    await into(table, Promise.resolve(held));
    if (held.length === 0) await into(table, updates(live, table));
    if (later !== null) away.push(later);
  }
  for (const table of keyed.toReversed()) await into(table, deletes(live, table, references, tables));
  for (const table of tables) await into(table, inserts(live, table));
  // Without the rows that were refused an index cannot be made again; all of it is rolled back anyway.
  if (refused.length > 0 || away.length + generated.length === 0) return refused;
  // Nothing of a table can be made or changed while checks of its rows wait.
  await live.query("SET CONSTRAINTS ALL IMMEDIATE");
  for (const one of away) {
    await into(one.table, resume(live, one));
    if (refused.length > 0) return refused;
  }
  for (const statement of generated) await live.query(statement);
  return refused;
}

function isKeyed({ target }: Staged): boolean {
  return target.key.length > 0;
}

function byKey({ target }: Staged): string {
  return target.key.map((column) => `t.${quote(column)} = s.${quote(column)}`).join(" AND ");
}

const IN_RANGE = `s.${REASON} IS NULL AND s.${LINE} BETWEEN $1 AND $2`;

async function bulk(live: Client, { staged }: Staged, op: string, text: string, exact: boolean) {
  const { rows } = await live.query<{ line: string }>(
    `SELECT s.${LINE} AS line FROM ${staged} s WHERE s.${REASON} IS NULL AND s.${OP} = $1 AND NOT s.${SWAPS} ORDER BY 1`,
    [op],
  );
  return writeInBulk({
    lines: rows.map(({ line }) => Number(line)),
    write: async (first, last, count) => {
      await live.query("SAVEPOINT part");
      try {
        const { rowCount } = await live.query(text, [first, last]);
        if (exact && rowCount !== count) throw new Conflict("refused", "the live table did not take it");
        await live.query("RELEASE SAVEPOINT part");
      } catch (error) {
        await live.query("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part");
        throw error;
      }
    },
    conflictOf: (error) => conflictOf(error, op),
  });
}

async function updates(live: Client, table: Staged) {
  const changed = await changedColumns(live, table);
  if (changed.length === 0) return [];
  const set = changed.map((column) => `${quote(column)} = s.${quote(column)}`).join(", ");
  const source = table.target.shape.source;
  return bulk(
    live,
    table,
    "update",
    `UPDATE ${source} t SET ${set} FROM ${table.staged} s WHERE ${byKey(table)} AND s.${OP} = 'update' AND NOT s.${SWAPS} AND ${IN_RANGE}`,
    true,
  );
}

/** Lets updates set numbers that otherwise only the server sets. Before anything is written. @returns statements that undo it */
async function giveNumbers(live: Client, tables: readonly Staged[]): Promise<string[]> {
  const back: string[] = [];
  for (const table of tables.filter(({ target }) => target.identities.length > 0)) {
    const changed = await changedColumns(live, table);
    const identities = changed.filter((column) => table.target.identities.includes(column));
    for (const column of await alwaysGenerated(live, table, identities)) {
      const alter = `ALTER TABLE ${table.target.identifier} ALTER ${quote(column)} SET GENERATED`;
      await live.query(`${alter} BY DEFAULT`);
      back.push(`${alter} ALWAYS`);
    }
  }
  return back;
}

/** Columns that some update changes: the others are left alone. */
async function changedColumns(live: Client, { staged, before, hadColumns, target }: Staged): Promise<string[]> {
  const had = target.held.filter((column) => hadColumns?.has(column) === true);
  if (had.length === 0) return [];
  const any = had.map((column, index) => `bool_or(s.${quote(column)}::text IS DISTINCT FROM b.${quote(column)}::text) AS c${index}`);
  const { rows } = await live.query<Record<string, boolean | null>>(
    `SELECT ${any.join(", ")} FROM ${staged} s JOIN ${before} b ON b.${LINE} = s.${LINE} WHERE s.${REASON} IS NULL AND s.${OP} = 'update'`,
  );
  return had.filter((_, index) => rows[0]?.[`c${index}`] === true);
}

async function alwaysGenerated(live: Client, { target }: Staged, columns: readonly string[]): Promise<string[]> {
  const { rows } = await live.query<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attidentity = 'a' AND attname = ANY ($2)",
    [target.identifier, columns],
  );
  return rows.map(({ name }) => name);
}

/** A delete never takes rows along that the export does not know. */
async function deletes(live: Client, table: Staged, references: readonly LiveReference[], tables: readonly Staged[]) {
  const { staged, target } = table;
  const guards = references
    .filter(({ parent, actsOnDelete }) => actsOnDelete && parent.name === table.name)
    .map(({ child, columns, references: referred }) => {
      const on = columns.map((column, index) => `c.${quote(column)} = t.${quote(referred[index]!)}`).join(" AND ");
      const its = tables.find(({ name }) => name === child.name);
      const known =
        its === undefined
          ? ""
          : ` AND NOT EXISTS (SELECT FROM ${its.staged} w WHERE w.${REASON} IS NULL AND w.${OP} = 'delete' AND ${samePlace(its, "w", "c")})`;
      return ` AND NOT EXISTS (SELECT FROM ${child.live} c WHERE ${on}${known})`;
    });
  const which = isKeyed(table) ? byKey(table) : samePlace(table, "s", "t");
  const refused = await bulk(
    live,
    table,
    "delete",
    `DELETE FROM ${target.shape.source} t USING ${staged} s WHERE ${which} AND s.${OP} = 'delete' AND ${IN_RANGE}${guards.join("")}`,
    false,
  );
  if (guards.length === 0) return refused;
  const { rows } = await live.query<{ line: string }>(
    `SELECT s.${LINE} AS line FROM ${staged} s JOIN ${target.shape.source} t ON ${which} WHERE s.${OP} = 'delete' AND s.${REASON} IS NULL`,
  );
  const left = rows.map(({ line }) => Number(line)).filter((line) => !refused.some((one) => one.line === line));
  const conflict = new Conflict("still referenced", "rows refer to it and would be deleted or changed with it");
  return [...refused, ...left.map((line) => ({ line, conflict }))];
}

async function inserts(live: Client, table: Staged) {
  const { staged, target } = table;
  // Keys the server generates have to keep the value they had.
  const columns = [...target.held, ...target.defaulted.filter((column) => !target.identities.includes(column))].map(quote).join(", ");
  return bulk(
    live,
    table,
    "insert",
    `INSERT INTO ${target.identifier} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${staged} s WHERE s.${OP} = 'insert' AND ${IN_RANGE} ORDER BY ${LINE}`,
    true,
  );
}

/** What concerns the one row is a conflict; anything else (connection, disk, deadlock, privileges) ends the whole. */
function conflictOf(error: unknown, op: string): Conflict | null {
  if (error instanceof Conflict) return error;
  const {
    code = "",
    message = "",
    detail,
    constraint,
  } = error as { code?: string; message?: string; detail?: string; constraint?: string };
  const text = [message, detail].filter(Boolean).join(": ");
  if (code === "23503") return new Conflict(op === "delete" ? "still referenced" : "missing parent", text);
  if (code.startsWith("23")) return new Conflict("constraint violated", constraint === undefined ? text : `${constraint}: ${text}`);
  if (code.startsWith("22")) return new Conflict("value not held", text);
  // An index has no room for a value as long as this one.
  if (code === "54000") return new Conflict("value not held", text);
  if (code === "P0001" || code === "428C9" || code.startsWith("44") || code.startsWith("09")) return new Conflict("refused", text);
  return null;
}
