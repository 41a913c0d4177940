/** Content of a database, read by the drill itself: a sum over the hashes of all rows of each table, independent of their order. */
import { readFile } from "node:fs/promises";
import pg from "pg";
import { canonicalTable } from "../databases/shared/identifiers.ts";

/** The drill's own connection to a server, independent of the toolkit's. */
export interface Address {
  host: string;
  port: number;
  user: string;
  passwordFile?: string;
  password?: string;
}

export interface TableContent {
  rows: number;
  /** Sum over the rows' hashes. */
  sum: string;
}
export type Contents = Record<string, TableContent>;

export interface ContentDifference {
  table: string;
  before: TableContent | null;
  after: TableContent | null;
}

const HASH = "('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric";

const TABLES = `
  SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
  WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`;

/** Rows and content of every table. `without`: rows that contain this text are left out; empty: none. */
export async function readContents(client: pg.Client, without = ""): Promise<Contents> {
  const contents: Contents = {};
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    const { rows: tables } = await client.query<{ name: string }>(TABLES);
    for (const { name } of tables) {
      const { rows } = await client.query<{ rows: string; sum: string }>(
        `SELECT count(*)::text AS rows, coalesce(sum(${HASH}), 0)::text AS sum FROM ${name} t WHERE $1 = '' OR strpos(t::text, $1) = 0`,
        [without],
      );
      contents[canonicalTable(name)] = { rows: Number(rows[0]?.rows), sum: rows[0]?.sum ?? "" };
    }
    return contents;
  } finally {
    await client.query("COMMIT");
  }
}

export function contentDifferences(before: Contents, after: Contents): ContentDifference[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((table) => before[table]?.sum !== after[table]?.sum || before[table]?.rows !== after[table]?.rows)
    .map((table) => ({ table, before: before[table] ?? null, after: after[table] ?? null }));
}

/** Runs `work` in a session of the drill's own. Values render alike in every one of them. */
export async function inDatabase<T>(address: Address, database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const { passwordFile, ...rest } = address;
  const client = new pg.Client({
    ...rest,
    ...(passwordFile === undefined ? {} : { password: (await readFile(passwordFile, "utf8")).split("\n")[0] }),
    database,
    application_name: "drill",
    options: "-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=1",
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
