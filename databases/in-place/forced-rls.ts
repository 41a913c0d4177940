/**
 * Tables with FORCE ROW LEVEL SECURITY hide rows from their own owner: a dump, a hash or a refresh of a view by the owner would fail or lack rows.
 * Inside the fence the force is lifted for as long as such work takes. Which tables it was is written down in the same transaction, so that
 * after a kill it is put back before anything else.
 */
import type { Client } from "pg";
import { atomically } from "../postgres/transaction.ts";
import { STATE_SCHEMA } from "../postgres/state/schema.ts";

const RECORD = `${STATE_SCHEMA}.forced_row_security`;
const MAKE = `CREATE SCHEMA IF NOT EXISTS ${STATE_SCHEMA}; CREATE TABLE IF NOT EXISTS ${RECORD} (name text PRIMARY KEY)`;

/** Names of tables whose policies count for their owner, too; quoted where they need it. */
export async function forcedTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relforcerowsecurity AND n.nspname <> $1 AND pg_has_role(current_user, c.relowner, 'MEMBER') ORDER BY 1`,
    [STATE_SCHEMA],
  );
  return rows.map(({ name }) => name);
}

/** Runs `work` with the force lifted, and gives it the tables the force was lifted from. @returns what `work` returns */
export async function withoutForce<T>(client: Client, work: (tables: string[]) => Promise<T>): Promise<T> {
  await putForceBack(client);
  const tables = await forcedTables(client);
  if (tables.length === 0) return work([]);
  await atomically(client, async () => {
    for (const table of tables) {
      await client.query(`INSERT INTO ${RECORD} VALUES ($1)`, [table]);
      await client.query(`ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`);
    }
  });
  try {
    return await work(tables);
  } finally {
    await putForceBack(client);
  }
}

/** What a killed run left lifted is forced again; a table that is gone by then is passed over. */
export async function putForceBack(client: Client): Promise<string[]> {
  // Only where it is not there: others' event triggers hear of every attempt.
  const { rows: found } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [RECORD]);
  if (found[0]?.there !== true) await client.query(MAKE);
  return atomically(client, async () => {
    const { rows } = await client.query<{ name: string }>(`DELETE FROM ${RECORD} WHERE to_regclass(name) IS NOT NULL RETURNING name`);
    for (const { name } of rows) await client.query(`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`);
    await client.query(`DELETE FROM ${RECORD}`);
    return rows.map(({ name }) => name);
  });
}
