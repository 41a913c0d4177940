/** Tables as files, before they go: every row in the server's own text, and the copy proved by putting it back beside the original. */
import { mkdirSync, createReadStream } from "node:fs";
import { join } from "node:path";
import { createHash } from "node:crypto";
import type { Client } from "pg";
import { qualified, quote } from "../shared/identifiers.ts";
import { stemOf, WholeFile } from "../shared/export-file.ts";
import { linesOf } from "../shared/export-format.ts";
import type { KeptTable } from "../engine.ts";

/** A copy that was put back is not what it was taken from; nothing was dropped. */
export class KeptCopyDiffersError extends Error {
  readonly table: string;
  readonly path: string;
  constructor(table: string, path: string, why: string) {
    super(`${table} could not be kept: ${why} (${path}). Nothing was dropped`);
    this.name = "KeptCopyDiffersError";
    this.table = table;
    this.path = path;
  }
}

/** With the kept tables something would go that was not kept; the caller's transaction must not be committed. */
export class GoesAlongError extends Error {
  readonly lost: string[];
  constructor(tables: readonly string[], lost: string[]) {
    super(
      `with ${tables.join(", ")} would go what is not kept: ${lost.join(", ")}. Nothing was dropped. ` +
        "Fix: add the tables to `keeps` of the action, or take them and their columns off what goes first",
    );
    this.name = "GoesAlongError";
    this.lost = lost;
  }
}

const FETCH = 2000;

/** Tables of `names` that exist. */
export async function presentTables(client: Client, names: readonly string[]): Promise<string[]> {
  const present: string[] = [];
  for (const name of names) {
    const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [qualified(name)]);
    if (rows[0]?.found === true) present.push(name);
  }
  return present;
}

/**
 * Inside the caller's transaction, which locks the tables until it ends, so that no row comes between.
 * @throws KeptCopyDiffersError
 */
export async function keepTables(client: Client, tables: readonly string[], folder: string, runId: string): Promise<KeptTable[]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const kept: KeptTable[] = [];
  for (const table of tables) {
    await client.query(`LOCK TABLE ${qualified(table)} IN ACCESS EXCLUSIVE MODE`);
    const columns = await columnsOf(client, table);
    const path = join(folder, `${stemOf(runId, table)}.jsonl`);
    const rows = await writeRows(client, table, columns, path);
    const sha256 = await prove(client, table, columns, path, rows);
    kept.push({ table, path, sha256, rows, columns, definitions: await definitionsOf(client, table) });
  }
  const schema = await WholeFile.begin(join(folder, `${runId}.tables.json`));
  await schema.write(`${JSON.stringify(kept, null, 2)}\n`);
  await schema.commit();
  return kept;
}

/**
 * Drops them with what hangs on them, in the caller's transaction. Resolves with what was dropped, in words.
 * @throws GoesAlongError where that is rows of others: a table that inherits, a column whose type is one of them
 */
export async function dropKept(client: Client, tables: readonly string[]): Promise<string> {
  const names = tables.map(qualified);
  const before = await columnsBeside(client, names);
  const along: string[] = [];
  const hear = ({ message }: { message?: string }): void => void along.push(message ?? "");
  client.on("notice", hear);
  await client.query("SET LOCAL client_min_messages = notice");
  try {
    await client.query(`DROP TABLE ${names.join(", ")} CASCADE`);
  } finally {
    client.off("notice", hear);
  }
  const after = new Set(await columnsBeside(client, []));
  const lost = before.filter((column) => !after.has(column));
  if (lost.length > 0) throw new GoesAlongError(tables, lost);
  return `dropped ${tables.join(", ")}${along.length === 0 ? "" : ` (${along.join("; ")})`}`;
}

/** Columns with rows in them, but for those of these tables and of their partitions, whose rows are theirs. */
async function columnsBeside(client: Client, tables: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I.%I', nspname, relname, attname) AS name FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
       JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND attrelid <> ALL ($1::text[]::regclass[])
       AND NOT EXISTS (SELECT FROM pg_partition_ancestors(attrelid) p WHERE p.relid = ANY ($1::text[]::regclass[])) ORDER BY 1`,
    [tables],
  );
  return rows.map(({ name }) => name);
}

async function columnsOf(client: Client, table: string): Promise<KeptTable["columns"]> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [qualified(table)],
  );
  return rows;
}

async function definitionsOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ definition: string }>(
    `SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS definition
       FROM pg_constraint WHERE conrelid = to_regclass($1)
     UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass($1)
     UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal
     UNION ALL SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', adrelid::regclass, attname, pg_get_expr(adbin, adrelid))
       FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = to_regclass($1)`,
    [qualified(table)],
  );
  return rows.map(({ definition }) => definition);
}

async function writeRows(client: Client, table: string, columns: KeptTable["columns"], path: string): Promise<number> {
  const file = await WholeFile.begin(path);
  let count = 0;
  try {
    const list = columns.map(({ name }) => `${quote(name)}::text AS ${quote(name)}`).join(", ");
    await client.query(`DECLARE kept NO SCROLL CURSOR FOR SELECT ${list} FROM ${qualified(table)}`);
    for (;;) {
      const { rows } = await client.query<Record<string, string | null>>(`FETCH ${FETCH} FROM kept`);
      for (const row of rows) await file.write(`${JSON.stringify(row)}\n`);
      count += rows.length;
      if (rows.length < FETCH) break;
    }
    await client.query("CLOSE kept");
    await file.commit();
    return count;
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Reads the file back into a table of the same shape and compares row by row, as multisets. Resolves with the file's sha256. */
async function prove(client: Client, table: string, columns: KeptTable["columns"], path: string, rows: number): Promise<string> {
  const hash = createHash("sha256");
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const shape = columns.map(({ name, type }) => `${quote(name)} ${type}`).join(", ");
  await client.query(`CREATE TEMPORARY TABLE kept_copy (${shape}) ON COMMIT DROP`);
  const values = columns.map(({ name, type }) => `(r ->> ${client.escapeLiteral(name)})::${type}`).join(", ");
  let batch: string[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await client.query(`INSERT INTO kept_copy SELECT ${values} FROM json_array_elements($1::json) AS r`, [`[${batch.join(",")}]`]);
    batch = [];
  };
  let read = 0;
  for await (const line of linesOf(hashed())) {
    batch.push(line);
    read += 1;
    if (batch.length >= FETCH) await flush();
  }
  await flush();
  if (read !== rows) throw new KeptCopyDiffersError(table, path, `the file holds ${read} rows of ${rows}`);
  const differing = await client.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM (
       (SELECT t::text FROM ${qualified(table)} t EXCEPT ALL SELECT k::text FROM kept_copy k)
       UNION ALL (SELECT k::text FROM kept_copy k EXCEPT ALL SELECT t::text FROM ${qualified(table)} t)) d`,
  );
  await client.query("DROP TABLE kept_copy");
  const wrong = differing.rows[0]?.rows ?? -1;
  if (wrong !== 0) throw new KeptCopyDiffersError(table, path, `${wrong} rows put back from the file differ`);
  return hash.digest("hex");
}
