/** The ledger table of migrations as Prisma keeps it, backout's own of the same form, and the lock every ledger shares. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { quote } from "../../shared/identifiers.ts";
import { MigrationLockedError } from "../../shared/migrations/errors.ts";
import type { LedgerRow } from "../../shared/migrations/ledger.ts";

export const PRISMA_TABLE = "public._prisma_migrations";
export const BACKOUT_TABLE = "public._backout_migrations";
type Table = typeof PRISMA_TABLE | typeof BACKOUT_TABLE;

const create = (table: Table): string => `
  CREATE TABLE IF NOT EXISTS ${table} (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`;

/** Rows in the order the migrations were started; none where there is no ledger yet. */
export async function ledgerRows(client: Client, table: Table = PRISMA_TABLE): Promise<LedgerRow[]> {
  if (!(await hasLedger(client, table))) return [];
  const { rows } = await client.query<LedgerRow>(
    `SELECT id, checksum, migration_name AS name, logs, started_at AS "startedAt", finished_at AS "finishedAt",
            rolled_back_at AS "rolledBackAt", applied_steps_count AS "appliedSteps"
       FROM ${table} ORDER BY started_at, id`,
  );
  return rows;
}

async function hasLedger(client: Client, table: Table): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>("SELECT to_regclass($1) IS NOT NULL AS exists", [table]);
  return rows[0]?.exists === true;
}

/** @param owner role the table shall belong to; the session's own where absent. */
export async function createLedger(client: Client, table: Table, owner?: string): Promise<void> {
  if (await hasLedger(client, table)) return;
  await client.query(create(table));
  if (owner !== undefined) await client.query(`ALTER TABLE ${table} OWNER TO ${quote(owner)}`);
}

export async function insertStarted(client: Client, table: Table, name: string, checksum: string, logs: string | null): Promise<string> {
  const id = randomUUID();
  const values = [id, checksum, name, logs];
  await client.query(
    `INSERT INTO ${table} (id, checksum, migration_name, logs, started_at) VALUES ($1, $2, $3, $4, clock_timestamp())`,
    values,
  );
  return id;
}

export async function finishRow(client: Client, table: Table, id: string): Promise<void> {
  await client.query(`UPDATE ${table} SET finished_at = clock_timestamp(), applied_steps_count = 1, logs = NULL WHERE id = $1`, [id]);
}

export async function logRow(client: Client, table: Table, id: string, logs: string): Promise<void> {
  await client.query(`UPDATE ${table} SET logs = $2 WHERE id = $1`, [id, logs]);
}

/** Marks every attempt that still stands, finished or not. Returns how many there were. */
export async function markRows(client: Client, table: Table, name: string): Promise<number> {
  const { rowCount } = await client.query(
    `UPDATE ${table} SET rolled_back_at = clock_timestamp() WHERE migration_name = $1 AND rolled_back_at IS NULL`,
    [name],
  );
  return rowCount ?? 0;
}

/** Prisma's own lock, so that its commands and backout never migrate a database at the same time. */
const LOCK = 72707369;
const LOCK_TIMEOUT_MS = 10_000;
const HOLDER = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = $1 AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/**
 * Runs `work` while no other session migrates this database. A session orphaned by a killed client holds the lock until its statement ends.
 * @throws MigrationLockedError after 10 seconds.
 */
export async function withMigrationLock<T>(client: Client, work: () => Promise<T>, timeoutMs: number = LOCK_TIMEOUT_MS): Promise<T> {
  for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
    const { rows } = await client.query<{ locked: boolean }>("SELECT pg_try_advisory_lock($1) AS locked", [LOCK]);
    if (rows[0]?.locked === true) break;
    if (Date.now() < end) continue;
    const holder = await client.query<{ pid: number }>(HOLDER, [LOCK]);
    throw new MigrationLockedError(holder.rows[0]?.pid ?? null, timeoutMs);
  }
  try {
    return await work();
  } finally {
    // A connection that was lost has released its lock already.
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK]).catch(() => undefined);
  }
}
