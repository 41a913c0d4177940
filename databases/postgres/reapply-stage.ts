/** Brings the rows of an export into temporary tables of the live database, in the types of the live tables. */
import { createReadStream } from "node:fs";
import type { Client } from "pg";
import { escaped, unescapedSql } from "./any-bytes.ts";
import type { Difference, TextRow } from "../shared/comparison.ts";
import { linesOf, parseJsonLine } from "../shared/export-format.ts";
import { quote } from "../shared/identifiers.ts";
import { DETAIL, LINE, OP, REASON, type StagedTable } from "../shared/reapply/decide.ts";
import { differenceUnder } from "../shared/reapply/renames.ts";
import type { LiveUnique, Target } from "./reapply-target.ts";

/** How many equal rows there have to be; rows without a key only. */
export const COPIES = quote("backout:copies");
/** Of the live row that the staged one is about. */
export const PLACE = { table: quote("backout:table"), row: quote("backout:place") };
/** Its place is taken by another row of the same table while it is written. */
export const SWAPS = quote("backout:swaps");

export interface Staged extends StagedTable {
  target: Target;
  uniques: LiveUnique[];
  /** What updated rows were before. */
  before: string;
  /** Columns that rows had before; null: none of them had a before. */
  hadColumns: Set<string> | null;
  path: string;
  /** How many rows it has. */
  lines: number;
}

/** Rows and characters sent at a time. */
const BATCH = { rows: 1_000, characters: 4_000_000 };

export async function stage(live: Client, target: Target, path: string, number: number): Promise<Staged> {
  const [staged, before] = [`pg_temp.backout_rows_${number}`, `pg_temp.backout_before_${number}`];
  const types = new Map(target.shape.columns.map(({ name, type }) => [name, type]));
  await live.query(
    `CREATE TEMP TABLE ${staged.slice(8)} (LIKE ${target.identifier} INCLUDING DEFAULTS INCLUDING GENERATED) ON COMMIT DROP`,
  );
  const relaxed = target.required.map((column) => `ALTER ${quote(column)} DROP NOT NULL`);
  const meta = [
    `${LINE} bigint`,
    `${OP} text`,
    `${REASON} text`,
    `${DETAIL} text`,
    `${COPIES} bigint`,
    `${PLACE.table} oid`,
    `${PLACE.row} tid`,
    `${SWAPS} boolean NOT NULL DEFAULT false`,
  ];
  await live.query(`ALTER TABLE ${staged} ${[...relaxed, ...meta.map((column) => `ADD ${column}`)].join(", ")}`);
  const columns = target.held.map((column) => `${quote(column)} ${types.get(column)!}`).join(", ");
  await live.query(`CREATE TEMP TABLE ${before.slice(8)} (${LINE} bigint, ${columns}) ON COMMIT DROP`);
  const converted = await conversions(live, target, number);
  let hadColumns: Set<string> | null = null;
  let batch: { line: number; difference: Difference }[] = [];
  let [line, characters] = [0, 0];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await send(live, { target, staged, before, types, converted }, batch);
    [batch, characters] = [[], 0];
  };
  for await (const text of linesOf(createReadStream(path))) {
    const difference = differenceUnder(parseJsonLine(target.name, text), target.renames);
    if (difference.before !== null) hadColumns ??= new Set(Object.keys(difference.before));
    batch.push({ line: ++line, difference });
    characters += text.length;
    if (batch.length >= BATCH.rows || characters >= BATCH.characters) await flush();
  }
  await flush();
  await live.query(`CREATE INDEX ON ${staged} (${LINE}); CREATE INDEX ON ${before} (${LINE}); ANALYZE ${staged}; ANALYZE ${before}`);
  const uniques = target.uniques.filter(({ keys, where }) => where !== null || !sameSet(keys, target.key.map(quoteIfNeeded)));
  return {
    name: target.name,
    staged,
    live: target.shape.source,
    place: [
      { live: "tableoid", staged: PLACE.table },
      { live: "ctid", staged: PLACE.row },
    ],
    uniques,
    target,
    before,
    hadColumns,
    path,
    lines: line,
  };
}

/** As the server shows a column of an index. */
function quoteIfNeeded(column: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(column) ? column : quote(column);
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name));
}

interface Sending {
  target: Target;
  staged: string;
  before: string;
  types: Map<string, string>;
  /** Functions that give the live column's text of a value, or NULL where it would not hold it. */
  converted: Map<string, string>;
}

async function send(live: Client, at: Sending, batch: readonly { line: number; difference: Difference }[]): Promise<void> {
  const { target, staged, before } = at;
  const lists = target.held.map(quote);
  const sent = (row: TextRow, column: string, classes?: Record<string, string>): string | null =>
    target.shape.anyBytes ? escaped(row[column] ?? null, classes?.[column]) : (row[column] ?? null);
  const valueOf = ({ row, before, classes }: Difference, column: string): string | null =>
    row === null ? sent(before!, column, classes?.before) : sent(row, column, classes?.row);
  await live.query(
    `INSERT INTO ${staged} (${[LINE, OP, COPIES, REASON, DETAIL, ...lists].join(", ")})
     SELECT u.line, u.op, u.copies, ${misfit(at)}, ${values(at)}
       FROM unnest($1::int8[], $2::text[], $3::int8[], $4::text[]${parameters(target, 5)}) AS u(line, op, copies, large${names(target)})`,
    [
      batch.map(({ line }) => line),
      batch.map(({ difference }) => difference.op),
      batch.map(({ difference }) => difference.copies ?? null),
      batch.map(({ difference }) => tooLarge(difference)),
      ...target.held.map((column) => batch.map(({ difference }) => valueOf(difference, column))),
    ],
  );
  const updates = batch.filter(({ difference }) => difference.op === "update");
  if (updates.length === 0) return;
  await live.query(
    `INSERT INTO ${before} (${[LINE, ...lists].join(", ")})
     SELECT u.line, ${values(at)} FROM unnest($1::int8[]${parameters(target, 2)}) AS u(line${names(target)})`,
    [
      updates.map(({ line }) => line),
      ...target.held.map((column) => updates.map(({ difference: { before, classes } }) => sent(before!, column, classes?.before))),
    ],
  );
}

function parameters({ held }: Target, first: number): string {
  return held.map((_, index) => `, $${first + index}::text[]`).join("");
}

function names({ held }: Target): string {
  return held.map((_, index) => `, v${index}`).join("");
}

/** A value as it was sent. SQL. */
function given({ shape }: Target, index: number): string {
  return shape.anyBytes ? unescapedSql(`u.v${index}`) : `u.v${index}`;
}

function values({ target, types, converted }: Sending): string {
  const value = (column: string, index: number): string =>
    converted.has(column) ? `${converted.get(column)!}(${given(target, index)})` : given(target, index);
  return target.held.map((column, index) => `(${value(column, index)})::${types.get(column)!}`).join(", ");
}

/** Reason and detail of a value that the live column would change or refuse. */
function misfit({ target, converted }: Sending): string {
  const misfits = target.held.flatMap((column, index) => {
    const holds = converted.get(column);
    if (holds === undefined) return [];
    const { from, to } = target.retyped.get(column)!;
    const value = given(target, index);
    const told = `${literal(`${column}: ${from} value `)} || ${value} || ${literal(` does not fit ${to}`)}`;
    return [{ when: `u.v${index} IS NOT NULL AND ${holds}(${value}) IS NULL`, told }];
  });
  const all = [
    { when: "u.large IS NOT NULL", told: "u.large || ': too large to be exported: it is in what was set aside only'" },
    ...misfits,
  ];
  const reason = `CASE WHEN ${all.map(({ when }) => `(${when})`).join(" OR ")} THEN 'value not held' END`;
  return `${reason}, CASE ${all.map(({ when, told }) => `WHEN ${when} THEN ${told}`).join(" ")} END`;
}

/** Columns whose values the export lacks, on either side: what the row should become is not known. */
function tooLarge({ tooLarge: { before = [], row = [] } = {} }: Difference): string | null {
  const columns = [...new Set([...before, ...row])];
  return columns.length === 0 ? null : columns.join(", ");
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A value that does not survive the way to the live type and back is never rounded. Errors of a conversion can be caught in a function alone. */
async function conversions(live: Client, target: Target, number: number): Promise<Map<string, string>> {
  const functions = new Map<string, string>();
  for (const [index, [column, { from, to }]] of [...target.retyped].entries()) {
    const name = `pg_temp.backout_holds_${number}_${index}`;
    const { rows } = await live.query<{ known: boolean }>("SELECT to_regtype($1) IS NOT NULL AS known", [from]);
    const same = rows[0]?.known === true ? `(shown::${from})::text = (value::${from})::text` : "false";
    await live.query(`
      CREATE OR REPLACE FUNCTION ${name}(value text) RETURNS text LANGUAGE plpgsql AS $backout$
      DECLARE shown text;
      BEGIN
        IF value IS NULL THEN RETURN NULL; END IF;
        shown := format('%s', value::${to});
        IF shown = value THEN RETURN shown; END IF;
        RETURN CASE WHEN ${same} THEN shown END;
      EXCEPTION WHEN OTHERS THEN RETURN NULL;
      END $backout$`);
    functions.set(column, name);
  }
  return functions;
}
