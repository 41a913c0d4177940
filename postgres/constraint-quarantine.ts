/**
 * Moves rows that violate a constraint to a side table, with the rows of other tables that refer to them, in one transaction: nothing is lost,
 * and nothing is left that refers to what is gone.
 */
import type { Client } from "pg";
import { formatTable, parseTable, qualified, quote, tableNameSql } from "./identifiers.ts";
import { ownerOf } from "./constraints.ts";
import { derivedName } from "./names.ts";
import { atomically } from "./transaction.ts";

export interface Quarantined {
  table: string;
  /** Side table the rows are in now. */
  into: string;
  rows: number;
}

interface Reference {
  child: string;
  columns: string[];
  others: string[];
}

export function sideTable(table: string, epoch: number): string {
  const name = parseTable(table);
  return formatTable({ ...name, table: derivedName(name.table, `_quarantine_${epoch}`) });
}

/** The session must not be in a transaction. @param condition over the row `r`. Already so: moves what is still there, which is nothing. */
export async function quarantineRows(client: Client, table: string, condition: string, epoch: number, why: string): Promise<Quarantined[]> {
  return atomically(client, () => move(client, table, condition, epoch, why));
}

async function move(client: Client, table: string, condition: string, epoch: number, why: string): Promise<Quarantined[]> {
  // In the order in which they were found: whoever is referred to comes before who refers to it.
  const marked = new Map<string, string>();
  const mark = async (name: string): Promise<string> => {
    const known = marked.get(name);
    if (known !== undefined) return known;
    await client.query(`LOCK TABLE ${qualified(name)} IN SHARE ROW EXCLUSIVE MODE`);
    const marks = `backout_marked_${marked.size}`;
    await client.query(`CREATE TEMP TABLE ${marks} (place tid PRIMARY KEY) ON COMMIT DROP`);
    marked.set(name, marks);
    return marks;
  };
  const first = await mark(table);
  await client.query(`INSERT INTO ${first} SELECT r.ctid FROM ${qualified(table)} r WHERE ${condition}`);
  const waiting = [table];
  for (let parent = waiting.shift(); parent !== undefined; parent = waiting.shift())
    for (const { child, columns, others } of await referencesTo(client, parent)) {
      const same = columns.map((column, index) => `c.${quote(column)} = p.${quote(others[index]!)}`).join(" AND ");
      const { rowCount } = await client.query(
        `INSERT INTO ${await mark(child)} SELECT DISTINCT c.ctid FROM ${qualified(child)} c JOIN ${qualified(parent)} p ON ${same}
         WHERE p.ctid IN (SELECT place FROM ${marked.get(parent)!}) ON CONFLICT DO NOTHING`,
      );
      if ((rowCount ?? 0) > 0) waiting.push(child);
    }
  const done: Quarantined[] = [];
  for (const [name, marks] of [...marked].reverse()) {
    const { rows } = await client.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${marks}`);
    if (rows[0]!.rows === 0) continue;
    done.unshift({ table: name, into: await setAside(client, name, marks, epoch, why), rows: rows[0]!.rows });
  }
  return done;
}

/** Copies the marked rows and deletes them. The copies are counted before anything is deleted. */
async function setAside(client: Client, table: string, marks: string, epoch: number, why: string): Promise<string> {
  const into = sideTable(table, epoch);
  const columns = await columnsOf(client, table);
  await client.query(`CREATE TABLE IF NOT EXISTS ${qualified(into)} (LIKE ${qualified(table)})`);
  await client.query(`ALTER TABLE ${qualified(into)} OWNER TO ${quote(await ownerOf(client, table))}`);
  const wayBack = `INSERT INTO ${qualified(table)} (${columns.join(", ")}) OVERRIDING SYSTEM VALUE SELECT ${columns.join(", ")} FROM ${qualified(into)};`;
  await client.query(
    `COMMENT ON TABLE ${qualified(into)} IS ${client.escapeLiteral(`Rows of ${table} that were set aside: ${why}. Mended, they go back by: ${wayBack}`)}`,
  );
  const copied = await client.query(
    `INSERT INTO ${qualified(into)} (${columns.join(", ")}) SELECT ${columns.map((column) => `r.${column}`).join(", ")} FROM ${qualified(table)} r WHERE r.ctid IN (SELECT place FROM ${marks})`,
  );
  const deleted = await client.query(`DELETE FROM ${qualified(table)} r WHERE r.ctid IN (SELECT place FROM ${marks})`);
  if (copied.rowCount !== deleted.rowCount)
    throw new Error(`${copied.rowCount} rows of ${table} were copied and ${deleted.rowCount} deleted: nothing was changed`);
  return into;
}

/** Columns that hold a value of their own, quoted. */
async function columnsOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
    [qualified(table)],
  );
  return rows.map(({ name }) => quote(name));
}

async function referencesTo(client: Client, table: string): Promise<Reference[]> {
  const { rows } = await client.query<Reference>(
    `SELECT ${tableNameSql("n.nspname", "t.relname")} AS child,
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS others
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE c.contype = 'f' AND c.confrelid = to_regclass($1) AND c.conparentid = 0 ORDER BY 1`,
    [qualified(table)],
  );
  return rows;
}
