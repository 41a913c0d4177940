/**
 * Indexes for as long as rows are put back. For every row that goes, the server looks for rows that refer to it: without an index on the columns that
 * refer, it reads their whole table each time.
 */
import type { Client } from "pg";
import { parseTable, quote } from "../shared/identifiers.ts";
import { OP, REASON } from "../shared/reapply/decide.ts";
import type { Staged } from "./reapply-stage.ts";
import type { LiveReference } from "./reapply-target.ts";

/** For so few rows reading the table is sooner done than making an index. */
const FEW_ROWS = 50;

/** `$1` table, `$2` columns. Whether an index leads to rows by one of them. */
const INDEXED = `
  SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                  WHERE i.indrelid = $1::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = ANY ($2)) AS found`;

/** Before anything is written: an index cannot be made while checks of its table wait. @returns names, quoted, for `dropIndexes` */
export async function indexReferences(live: Client, tables: readonly Staged[], references: readonly LiveReference[]): Promise<string[]> {
  const made: string[] = [];
  for (const [number, { parent, child, table, columns, references: referred }] of references.entries()) {
    const parents = tables.find(({ name }) => name === parent.name);
    if (parents === undefined || (await looked(live, parents, referred)) <= FEW_ROWS) continue;
    const { rows } = await live.query<{ found: boolean }>(INDEXED, [table, columns]);
    if (rows[0]?.found === true) continue;
    const name = `backout_reapply_${number}`;
    await live.query("SAVEPOINT reference");
    try {
      await live.query(`CREATE INDEX ${name} ON ${table} (${columns.map(quote).join(", ")})`);
      made.push(`${quote(parseTable(child.name).schema)}.${name}`);
    } catch (error) {
      // Somebody else's table, or values too long for an index: it takes longer, and comes out the same.
      if (!["42501", "54000", "42704"].includes((error as { code?: string }).code ?? "")) throw error;
      await live.query("ROLLBACK TO SAVEPOINT reference");
    }
    await live.query("RELEASE SAVEPOINT reference");
  }
  return made;
}

/** How many rows go, or change what others refer to by. */
async function looked(live: Client, { staged, target }: Staged, referred: readonly string[]): Promise<number> {
  const byKey = referred.every((column) => target.key.includes(column));
  const { rows } = await live.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM ${staged} WHERE ${REASON} IS NULL AND ${OP} ${byKey ? "= 'delete'" : "<> 'insert'"}`,
  );
  return Number(rows[0]!.rows);
}

export async function dropIndexes(live: Client, made: readonly string[]): Promise<void> {
  for (const index of made) await live.query(`DROP INDEX ${index}`);
}
