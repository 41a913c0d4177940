/**
 * The ledger of Supabase's command line: `supabase_migrations.schema_migrations`, one row per applied migration. It knows no beginning and no
 * failure: a migration is there or it is not, so that script and row have to share a transaction.
 */
import { createHash } from "node:crypto";
import type { Client } from "pg";
import { quote } from "../../shared/identifiers.ts";
import type { LedgerRow } from "../../shared/migrations/ledger.ts";
import { splitStatements } from "../../shared/migrations/statements.ts";

const SCHEMA = "supabase_migrations";
const TABLE = `${SCHEMA}.schema_migrations`;

/** The columns of today; older versions of the tool made the table with `version` alone. */
const COLUMNS = ["statements text[]", "name text"];

/** `20251020000003_notes` → `20251020000003`, `notes`. */
function versionOf(migration: string): { version: string; name: string } {
  const [, version, name] = /^(\d+)_(.+)$/.exec(migration) ?? [undefined, migration, ""];
  return { version: version, name: name };
}

/** What a script and the statements the tool kept of it have in common: white space and comments between them are not kept. */
export function statementsChecksum(statements: readonly string[]): string {
  return createHash("sha256").update(statements.join(";\n")).digest("hex");
}

export function statementsOf(script: string): string[] {
  return splitStatements(script).map(({ text }) => text);
}

interface Row {
  version: string;
  name: string | null;
  statements: string[] | null;
}

/** `checksum` is empty where the tool kept no statements: then nothing can be said about changes. */
export async function supabaseRows(client: Client): Promise<LedgerRow[]> {
  const { rows: found } = await client.query<{ columns: string[] }>(
    `SELECT coalesce(array_agg(attname::text), '{}') AS columns FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [TABLE],
  );
  const columns = found[0]?.columns ?? [];
  if (columns.length === 0) return [];
  const column = (name: string): string => (columns.includes(name) ? name : `NULL AS ${name}`);
  const { rows } = await client.query<Row>(
    `SELECT version, ${column("name")}, ${column("statements")} FROM ${TABLE} ORDER BY version COLLATE "C"`,
  );
  return rows.map(({ version, name, statements }) => ({
    id: version,
    name: name === null || name === "" ? version : `${version}_${name}`,
    checksum: statements === null ? "" : statementsChecksum(statements),
    logs: null,
    startedAt: EPOCH,
    finishedAt: EPOCH,
    rolledBackAt: null,
    appliedSteps: statements?.length ?? 0,
  }));
}

/** The ledger keeps no times. */
const EPOCH = new Date(0);

/** @param owner role schema and table shall belong to; the session's own where absent. */
export async function createSupabaseLedger(client: Client, owner?: string): Promise<void> {
  const { rows } = await client.query<{ exists: boolean }>("SELECT to_regclass($1) IS NOT NULL AS exists", [TABLE]);
  if (rows[0]?.exists !== true) {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
    await client.query(`CREATE TABLE IF NOT EXISTS ${TABLE} (version text NOT NULL PRIMARY KEY)`);
    if (owner !== undefined) {
      await client.query(`ALTER SCHEMA ${SCHEMA} OWNER TO ${quote(owner)}`);
      await client.query(`ALTER TABLE ${TABLE} OWNER TO ${quote(owner)}`);
    }
  }
  for (const column of COLUMNS) await client.query(`ALTER TABLE ${TABLE} ADD COLUMN IF NOT EXISTS ${column}`);
}

export async function insertSupabaseRow(client: Client, migration: string, script: string): Promise<void> {
  const { version, name } = versionOf(migration);
  await client.query(
    `INSERT INTO ${TABLE} (version, name, statements) VALUES ($1, $2, $3) ON CONFLICT (version) DO UPDATE SET name = excluded.name, statements = excluded.statements`,
    [version, name, statementsOf(script)],
  );
}

/** What the tool's own `migration repair --status reverted` does. Returns how many rows there were. */
export async function removeSupabaseRow(client: Client, migration: string): Promise<number> {
  return (await client.query(`DELETE FROM ${TABLE} WHERE version = $1`, [versionOf(migration).version])).rowCount ?? 0;
}
