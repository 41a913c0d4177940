/**
 * Unique values that changed places among the rows of a table: every single update would be refused for a value that another row is about to give up.
 * A constraint that can wait does; else the rows that are in each other's way are taken out and put in again by one statement; where foreign keys
 * would act on that, the index is made anew.
 */
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";
import { LINE, liveKeys, newKeys, OP, REASON, sameKeys, samePlace } from "../shared/reapply/decide.ts";
import { Conflict } from "../shared/reapply/result.ts";
import { SWAPS, type Staged } from "./reapply-stage.ts";
import type { LiveReference, LiveUnique } from "./reapply-target.ts";

export interface Swaps {
  how: "none" | "replaced" | "index made anew" | "impossible";
  /** Rows that are in each other's way. */
  lines: number[];
  /** Indexes that are in the way. */
  indexes: LiveUnique[];
}

/** Finds the rows of a table that are in each other's way, and marks those that are replaced. */
export async function swaps(live: Client, table: Staged, references: readonly LiveReference[]): Promise<Swaps> {
  await live.query(`UPDATE ${table.staged} SET ${SWAPS} = false WHERE ${SWAPS}`);
  const found = new Set<number>();
  const indexes: LiveUnique[] = [];
  for (const unique of table.uniques.filter(({ deferrable }) => !deferrable)) {
    const its = await inTheWay(live, table, unique);
    if (its.length > 0) indexes.push(unique);
    for (const line of its) found.add(line);
  }
  const exclusive = await excluded(live, table);
  const lines = [...found, ...exclusive];
  if (lines.length === 0) return { how: "none", lines, indexes };
  // A row that is taken out takes along what refers to it.
  if (references.some(({ parent, actsOnDelete }) => actsOnDelete && parent.name === table.name)) {
    const partitioned = !table.target.shape.source.startsWith("ONLY ");
    const fixed = partitioned || exclusive.length > 0 || indexes.some(({ referredTo }) => referredTo);
    return { how: fixed ? "impossible" : "index made anew", lines, indexes };
  }
  await live.query(`UPDATE ${table.staged} SET ${SWAPS} = true WHERE ${LINE} = ANY ($1::int8[])`, [lines]);
  return { how: "replaced", lines, indexes };
}

/** Lines whose new value a live row has that another line changes or deletes, and that other line. */
async function inTheWay(live: Client, table: Staged, unique: LiveUnique): Promise<number[]> {
  const { rows } = await live.query<{ line: string; holder: string }>(
    `SELECT n.line, h.${LINE} AS holder FROM ${newKeys(table, unique)} n JOIN ${liveKeys(table, unique)} t ON ${sameKeys(unique, "n", "t")}
            JOIN ${table.staged} h ON ${samePlace(table, "h", "t")} AND h.${REASON} IS NULL AND h.${OP} <> 'insert' WHERE n.op = 'update' AND n.line <> h.${LINE}`,
  );
  return rows.flatMap(({ line, holder }) => [Number(line), Number(holder)]);
}

/** Updates under a constraint that compares otherwise than by equality: nobody can say which rows are in each other's way. */
async function excluded(live: Client, { staged, before, hadColumns, target }: Staged): Promise<number[]> {
  const columns = target.exclusions.flatMap((one) => one.columns ?? []).filter((column) => hadColumns?.has(column) === true);
  if (columns.length === 0) return [];
  const differs = columns.map((column) => `s.${quote(column)}::text IS DISTINCT FROM b.${quote(column)}::text`).join(" OR ");
  const { rows } = await live.query<{ line: string }>(
    `SELECT s.${LINE} AS line FROM ${staged} s JOIN ${before} b ON b.${LINE} = s.${LINE} WHERE s.${REASON} IS NULL AND s.${OP} = 'update' AND (${differs})`,
  );
  return rows.map(({ line }) => Number(line));
}

export type Found = { line: number; conflict: Conflict }[];

/** A table whose indexes are away until rows are deleted that still have the values others get. */
export interface Suspended {
  table: Staged;
  lines: number[];
  add: string[];
}

/** Takes out of the way of a table's updates what is in it. @returns rows that cannot be written, and what has to be made again */
export async function suspend(
  live: Client,
  table: Staged,
  { how, lines, indexes }: Swaps,
): Promise<{ refused: Found; later: Suspended | null }> {
  if (how === "replaced") await replace(live, table);
  if (how === "impossible") {
    const names = indexes.map(({ name }) => name).join(", ");
    const conflict = new Conflict("constraint violated", `${names}: values changed places, and foreign keys hold the rows in theirs`);
    return { refused: lines.map((line) => ({ line, conflict })), later: null };
  }
  if (how !== "index made anew") return { refused: [], later: null };
  const add: string[] = [];
  for (const index of indexes) {
    const made = await remade(live, table, index);
    await live.query(made.drop);
    add.push(...made.add);
  }
  return { refused: [], later: { table, lines, add } };
}

/** @returns rows for which an index cannot be made again */
export async function resume(live: Client, { lines, add }: Suspended): Promise<Found> {
  try {
    for (const statement of add) await live.query(statement);
    return [];
  } catch (error) {
    if ((error as { code?: string }).code !== "23505") throw error;
    const conflict = new Conflict("constraint violated", (error as Error).message);
    return lines.map((line) => ({ line, conflict }));
  }
}

/** One statement: foreign keys that wait look at what is there after it. */
async function replace(live: Client, table: Staged): Promise<void> {
  const { staged, target } = table;
  const columns = target.shape.columns.filter(({ generated }) => !generated).map(({ name }) => quote(name));
  const its = `s.${SWAPS} AND s.${REASON} IS NULL`;
  await live.query("SAVEPOINT swaps");
  try {
    await live.query(
      `WITH gone AS (DELETE FROM ${target.shape.source} t USING ${staged} s WHERE ${samePlace(table, "s", "t")} AND ${its} RETURNING 1)
       INSERT INTO ${target.identifier} (${columns.join(", ")}) OVERRIDING SYSTEM VALUE
       SELECT ${columns.map((column) => `s.${column}`).join(", ")} FROM ${staged} s
        WHERE (SELECT count(*) FROM gone) >= 0 AND ${its} AND s.${OP} = 'update'`,
    );
    await live.query("RELEASE SAVEPOINT swaps");
  } catch (error) {
    if (!((error as { code?: string }).code ?? "").startsWith("23")) throw error;
    await live.query("ROLLBACK TO SAVEPOINT swaps; RELEASE SAVEPOINT swaps");
    // One by one, so that each refused row is named.
    await live.query(`UPDATE ${staged} SET ${SWAPS} = false WHERE ${SWAPS}`);
  }
}

const INDEX = `
  SELECT pg_get_indexdef(i.indexrelid) AS definition, quote_ident(t.spcname) AS tablespace, i.indisclustered AS clustered, i.indisreplident AS identity,
         obj_description(i.indexrelid, 'pg_class') AS comment, obj_description(k.oid, 'pg_constraint') AS "constraintComment",
         coalesce((SELECT json_agg(json_build_object('number', a.attnum, 'target', to_jsonb(a) -> 'attstattarget')) FROM pg_attribute a
                    WHERE a.attrelid = i.indexrelid AND (to_jsonb(a) ->> 'attstattarget')::int >= 0), '[]') AS statistics
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
         LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
   WHERE i.indexrelid = $1::regclass`;

interface IndexFacts {
  definition: string;
  tablespace: string | null;
  clustered: boolean;
  identity: boolean;
  comment: string | null;
  constraintComment: string | null;
  statistics: { number: number; target: number }[];
}

/** Statements that drop an index, and that make it again with all that is known of it. */
async function remade(live: Client, { target }: Staged, unique: LiveUnique): Promise<{ drop: string; add: string[] }> {
  const { rows } = await live.query<IndexFacts>(INDEX, [unique.index]);
  const facts = rows[0]!;
  const { identifier } = target;
  const constraint = unique.constraint === null ? null : quote(unique.constraint);
  const comment = (what: string, text: string | null): string[] =>
    text === null ? [] : [`COMMENT ON ${what} IS ${live.escapeLiteral(text)}`];
  const add = [
    ...(facts.tablespace === null ? [] : [`SET LOCAL default_tablespace = ${facts.tablespace}`]),
    facts.definition,
    ...(facts.tablespace === null ? [] : ["RESET default_tablespace"]),
    ...(constraint === null ? [] : [`ALTER TABLE ${identifier} ADD CONSTRAINT ${constraint} UNIQUE USING INDEX ${quote(unique.name)}`]),
    ...facts.statistics.map((one) => `ALTER INDEX ${unique.index} ALTER COLUMN ${one.number} SET STATISTICS ${one.target}`),
    ...(facts.clustered ? [`ALTER TABLE ${identifier} CLUSTER ON ${quote(unique.name)}`] : []),
    ...(facts.identity ? [`ALTER TABLE ${identifier} REPLICA IDENTITY USING INDEX ${quote(unique.name)}`] : []),
    ...comment(`INDEX ${unique.index}`, facts.comment),
    ...(constraint === null ? [] : comment(`CONSTRAINT ${constraint} ON ${identifier}`, facts.constraintComment)),
  ];
  return { drop: constraint === null ? `DROP INDEX ${unique.index}` : `ALTER TABLE ${identifier} DROP CONSTRAINT ${constraint}`, add };
}
