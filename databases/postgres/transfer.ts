/** Rows from one database into the same tables of another, on whatever server: without client tools, streamed, and looked at afterwards. */
import { LEDGER_TABLE_NAMES } from "../shared/migrations/ledgers/tables.ts";
import Cursor from "pg-cursor";
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";
import { captureManifest, compareManifests } from "./manifest.ts";
import { atomically } from "./transaction.ts";

const BATCH = 1000;

/** Schemas whose rows describe the database, not the users' data. */
const NOT_DATA = ["supabase_migrations"];

/** What arrived is not what was sent. */
export class TransferDiffersError extends Error {
  readonly differences: string[];
  constructor(differences: string[]) {
    super(`the rows that arrived differ from those that were sent: ${differences.slice(0, 5).join("; ")}; nobody was let in`);
    this.name = "TransferDiffersError";
    this.differences = differences;
  }
}

interface Table {
  name: string;
  columns: { name: string; type: string }[];
}

const TABLES = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (n.nspname = ANY ($1))
    AND NOT (lower(c.relname) = ANY ($2)) ORDER BY 1`;

/**
 * Replaces the rows of every table of `target` by those of `source`, in one transaction; the tables must be there. `target` is a session of a
 * superuser, since triggers and foreign keys rest meanwhile; what they would have said is found by comparing both sides afterwards.
 * @returns how many rows were sent
 * @throws TransferDiffersError
 */
export async function transferRows(source: Client, target: Client): Promise<number> {
  const { rows: tables } = await source.query<Table>(TABLES, [NOT_DATA, LEDGER_TABLE_NAMES]);
  let sent = 0;
  await atomically(target, async () => {
    await target.query("SET LOCAL session_replication_role = replica");
    if (tables.length > 0) await target.query(`TRUNCATE ${tables.map(({ name }) => name).join(", ")}`);
    for (const table of tables) sent += await transferTable(source, target, table);
    await transferSequences(source, target);
  });
  const differences = compareManifests(
    await captureManifest(source, undefined, { excludeSchemas: NOT_DATA }),
    await captureManifest(target, undefined, { excludeSchemas: NOT_DATA }),
    ["tables", "sequences", "constraints", "policies", "rowSecurity", "triggers"],
  ).filter((line) => !LEDGER_TABLE_NAMES.some((name) => line.toLowerCase().includes(name)));
  if (differences.length > 0) throw new TransferDiffersError(differences);
  return sent;
}

/** Values travel as text, so that every type arrives as it was. */
async function transferTable(source: Client, target: Client, { name, columns }: Table): Promise<number> {
  const values = columns.map((column) => `${quote(column.name)}::text`).join(", ");
  const insert = `INSERT INTO ${name} (${columns.map((column) => quote(column.name)).join(", ")}) OVERRIDING SYSTEM VALUE
    SELECT ${columns.map(({ type }, index) => `(r ->> ${index})::${type}`).join(", ")} FROM jsonb_array_elements($1::jsonb) r`;
  const cursor = source.query(new Cursor<{ r: (string | null)[] }>(`SELECT ARRAY[${values}] AS r FROM ONLY ${name}`));
  let sent = 0;
  try {
    for (;;) {
      const rows = await cursor.read(BATCH);
      if (rows.length === 0) return sent;
      await target.query(insert, [JSON.stringify(rows.map(({ r }) => r))]);
      sent += rows.length;
    }
  } finally {
    await cursor.close();
  }
}

async function transferSequences(source: Client, target: Client): Promise<void> {
  const { rows } = await source.query<{ name: string; last: string | null }>(
    "SELECT format('%I.%I', schemaname, sequencename) AS name, last_value::text AS last FROM pg_sequences",
  );
  for (const { name, last } of rows) if (last !== null) await target.query("SELECT setval($1::regclass, $2::bigint)", [name, last]);
}
