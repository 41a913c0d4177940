/**
 * Moves rows that violate a constraint to side tables, with the rows of other tables that refer to them, in one transaction: nothing is lost, and
 * nothing is left that refers to what is gone. A row is known by its table and its place in it: places repeat in partitions and in children. Whole rows
 * are kept: those of a partition beside the partitioned table, those of a child, which has columns of its own, beside the child.
 */
import type { Client } from "pg";
import { formatTable, parseTable, qualified, quote, tableNameSql } from "../shared/identifiers.ts";
import { ownerOf } from "./constraints.ts";
import { derivedName } from "../../config/names.ts";
import { atomically } from "./transaction.ts";
import type { Quarantined } from "../shared/constraints.ts";

/** The copy of rows that were to be set aside is not what they are, or not all of them would go. */
export class NotSetAsideError extends Error {
  readonly table: string;
  constructor(table: string, copied: number, deleted: number) {
    super(
      `${copied} rows of ${table} were copied and ${deleted} deleted: nothing was changed. Look for triggers that keep rows of ${table}`,
    );
    this.name = "NotSetAsideError";
    this.table = table;
  }
}

/** Column of a side table: why the row is there. */
const WHY = "backout_why";

function sideTable(table: string, epoch: number): string {
  const name = parseTable(table);
  return formatTable({ ...name, table: derivedName(name.table, `_quarantine_${epoch}`) });
}

/**
 * The session must not be in a transaction. A second call finds nothing to move.
 * @param condition over the row `r` @param why of each row, for instance `violates round_price` @throws NotSetAsideError
 */
export async function quarantineRows(client: Client, table: string, condition: string, epoch: number, why: string): Promise<Quarantined[]> {
  return atomically(client, () => move(client, table, condition, epoch, why));
}

const MARKS = "pg_temp.backout_marked";

async function move(client: Client, table: string, condition: string, epoch: number, why: string): Promise<Quarantined[]> {
  await client.query("CREATE TEMP TABLE backout_marked (of oid, place tid, round int, why text, PRIMARY KEY (of, place)) ON COMMIT DROP");
  await client.query(`LOCK TABLE ${qualified(table)} IN SHARE ROW EXCLUSIVE MODE`);
  await client.query(`INSERT INTO ${MARKS} SELECT r.tableoid, r.ctid, 0, $1 FROM ${qualified(table)} r WHERE ${condition}`, [why]);
  for (let round = 0; (await markReferring(client, round, why)) > 0;) round++;
  const homes = await homesOf(client);
  const done: Quarantined[] = [];
  for (const home of homes) done.push({ table: home.name, into: await copy(client, home, epoch), rows: home.rows });
  await remove(client, homes);
  return done;
}

interface Reference {
  child: string;
  /** As it stands after FROM. */
  childLive: string;
  parent: string;
  parentName: string;
  columns: string[];
  others: string[];
}

/** Foreign keys to tables that have marked rows of a round, or to what these are partitions of. Children of a table do not share its keys. */
const REFERENCES = `
  WITH RECURSIVE of AS (
    SELECT DISTINCT m.of AS oid FROM ${MARKS} m WHERE m.round = $1
    UNION SELECT i.inhparent FROM of JOIN pg_inherits i ON i.inhrelid = of.oid JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition)
  SELECT quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS child,
         CASE WHEN t.relkind = 'p' THEN '' ELSE 'ONLY ' END || quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS "childLive",
         CASE WHEN p.relkind = 'p' THEN '' ELSE 'ONLY ' END || quote_ident(pn.nspname) || '.' || quote_ident(p.relname) AS parent,
         ${tableNameSql("pn.nspname", "p.relname")} AS "parentName",
         (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
         (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS others
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
         JOIN pg_class p ON p.oid = c.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid IN (SELECT oid FROM of) ORDER BY 1`;

/** Rows that refer to those of a round. @returns how many were not marked before */
async function markReferring(client: Client, round: number, why: string): Promise<number> {
  const { rows: references } = await client.query<Reference>(REFERENCES, [round]);
  let marked = 0;
  for (const { child, childLive, parent, parentName, columns, others } of references) {
    await client.query(`LOCK TABLE ${child} IN SHARE ROW EXCLUSIVE MODE`);
    const same = columns.map((column, index) => `c.${quote(column)} = p.${quote(others[index]!)}`).join(" AND ");
    const { rowCount } = await client.query(
      `INSERT INTO ${MARKS} SELECT DISTINCT c.tableoid, c.ctid, $1::int + 1, $2 FROM ${childLive} c JOIN ${parent} p ON ${same}
         JOIN ${MARKS} m ON m.of = p.tableoid AND m.place = p.ctid AND m.round = $1 ON CONFLICT DO NOTHING`,
      [round, `refers to a row of ${parentName} that ${why}`],
    );
    marked += rowCount ?? 0;
  }
  return marked;
}

interface Home {
  name: string;
  /** `"schema"."table"`, quoted. */
  identifier: string;
  /** As it stands after FROM: without the rows of children. */
  live: string;
  rows: number;
}

/** Tables that marked rows are kept beside: the topmost one a partition belongs to, else the table itself. The one they were looked for in comes first. */
async function homesOf(client: Client): Promise<Home[]> {
  const { rows } = await client.query<Home>(`
    WITH RECURSIVE up AS (
      SELECT DISTINCT of, of AS home FROM ${MARKS}
      UNION SELECT up.of, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.home JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition)
    SELECT ${tableNameSql("n.nspname", "c.relname")} AS name, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS identifier,
           CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END || quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS live, count(*)::int AS rows
      FROM up JOIN pg_class c ON c.oid = up.home AND NOT c.relispartition JOIN pg_namespace n ON n.oid = c.relnamespace JOIN ${MARKS} m ON m.of = up.of
     GROUP BY 1, 2, 3 ORDER BY min(m.round), 1`);
  return rows;
}

const MARKED = "m.of = r.tableoid AND m.place = r.ctid";

/** Copies the marked rows, each with the reason, and compares the copies with them. @returns the side table @throws NotSetAsideError */
async function copy(client: Client, { name, identifier, live, rows }: Home, epoch: number): Promise<string> {
  const into = sideTable(name, epoch);
  const columns = await columnsOf(client, identifier);
  const [all, writable] = [
    columns.map((column) => column.name),
    columns.filter(({ generated }) => !generated).map((column) => column.name),
  ];
  await client.query(`CREATE TABLE IF NOT EXISTS ${qualified(into)} (LIKE ${identifier})`);
  await client.query(`ALTER TABLE ${qualified(into)} ADD COLUMN IF NOT EXISTS ${WHY} text`);
  await client.query(`ALTER TABLE ${qualified(into)} OWNER TO ${quote(await ownerOf(client, name))}`);
  const wayBack = `INSERT INTO ${identifier} (${writable.join(", ")}) OVERRIDING SYSTEM VALUE SELECT ${writable.join(", ")} FROM ${qualified(into)};`;
  await client.query(
    `COMMENT ON TABLE ${qualified(into)} IS ${client.escapeLiteral(`Rows of ${name} that were set aside; ${WHY} says of each why. Once fixed, put them back with: ${wayBack}`)}`,
  );
  const its = `FROM ${live} r JOIN ${MARKS} m ON ${MARKED}`;
  await client.query(
    `INSERT INTO ${qualified(into)} (${[...all, WHY].join(", ")}) SELECT ${[...all.map((column) => `r.${column}`), "m.why"].join(", ")} ${its}`,
  );
  const content = (row: string): string => `ROW(${[...all.map((column) => `${row}.${column}`)].join(", ")})::text`;
  const { rows: lacking } = await client.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM (SELECT ${content("r")} ${its} EXCEPT ALL SELECT ${content("s")} FROM ${qualified(into)} s) x`,
  );
  if (lacking[0]!.rows > 0) throw new NotSetAsideError(name, rows - lacking[0]!.rows, 0);
  return into;
}

/** All of them by one statement: what refers to each other goes together. @throws NotSetAsideError */
async function remove(client: Client, homes: readonly Home[]): Promise<void> {
  if (homes.length === 0) return;
  const parts = homes.map(({ live }, index) => `d${index} AS (DELETE FROM ${live} r USING ${MARKS} m WHERE ${MARKED} RETURNING 1)`);
  const counts = homes.map((_, index) => `(SELECT count(*)::int FROM d${index}) AS d${index}`);
  const { rows } = await client.query<Record<string, number>>(`WITH ${parts.join(", ")} SELECT ${counts.join(", ")}`);
  for (const [index, home] of homes.entries())
    if (rows[0]![`d${index}`] !== home.rows) throw new NotSetAsideError(home.name, home.rows, rows[0]![`d${index}`]!);
}

/** Quoted. Those that the server computes are copied as they are, and computed again when the row goes back. */
async function columnsOf(client: Client, identifier: string): Promise<{ name: string; generated: boolean }[]> {
  const { rows } = await client.query<{ name: string; generated: boolean }>(
    "SELECT quote_ident(attname) AS name, attgenerated <> '' AS generated FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    [identifier],
  );
  return rows;
}
