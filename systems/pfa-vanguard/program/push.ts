/** One row of the write queue goes to PEMS. */
import type { Database, Session } from "../../kit/database.ts";
import type { Log } from "../../kit/log.ts";

export interface Pems {
  url: string;
  token: string;
}

interface QueueRow {
  id: string;
  modification_id: string | null;
  pfa_id: string;
  operation: string;
  payload: unknown;
}

const TIMEOUT_MS = 5000;
const MAX_ATTEMPTS = 8;

/**
 * Pushes the oldest row that is due and marks it with the time. The row stays locked meanwhile: a worker that dies leaves it pending, and PEMS
 * knows a repeated push by its key.
 * @returns false where nothing was due or the flag is off.
 */
export function pushNext(database: Database, pems: Pems, log: Log): Promise<boolean> {
  return database.transaction(async (session) => {
    const { rows } = await session.query<QueueRow>(
      `SELECT id, modification_id, pfa_id, operation, payload FROM pfa_write_queue
       WHERE status = 'pending' AND not_before <= now()
         AND EXISTS (SELECT FROM feature_flags WHERE flag_name = 'bi_directional_sync' AND enabled)
       ORDER BY not_before, id LIMIT 1 FOR UPDATE SKIP LOCKED`,
    );
    const row = rows[0];
    if (row === undefined) return false;
    const answer = await send(pems, row);
    if (answer.ok) await pushed(session, row, answer.version);
    else await notPushed(session, row, answer, log);
    return true;
  });
}

type Answer = { ok: true; version: number | null } | { ok: false; reason: string; conflict: unknown };

async function send(pems: Pems, row: QueueRow): Promise<Answer> {
  try {
    const response = await fetch(`${pems.url}/api/pfa`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${pems.token}`, "idempotency-key": row.id },
      body: JSON.stringify({ pfaId: row.pfa_id, operation: row.operation, record: row.payload }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = (await response.json().catch(() => ({}))) as { version?: number };
    if (response.ok) return { ok: true, version: body.version ?? null };
    return { ok: false, reason: `PEMS answered ${response.status}`, conflict: response.status === 409 ? body : null };
  } catch (error) {
    return { ok: false, reason: `PEMS did not answer: ${error instanceof Error ? error.message : String(error)}`, conflict: null };
  }
}

async function pushed(session: Session, row: QueueRow, version: number | null): Promise<void> {
  await session.query(
    "UPDATE pfa_write_queue SET status = 'pushed', pushed_at = clock_timestamp(), attempts = attempts + 1, last_error = NULL WHERE id = $1",
    [row.id],
  );
  await session.query(
    "UPDATE pfa_modification SET sync_status = 'synced', synced_at = clock_timestamp(), sync_error = NULL, pems_version = $2 WHERE id = $1",
    [row.modification_id, version],
  );
}

async function notPushed(session: Session, row: QueueRow, answer: Extract<Answer, { ok: false }>, log: Log): Promise<void> {
  log.error("could not push", { pfaId: row.pfa_id, reason: answer.reason });
  await session.query(
    `UPDATE pfa_write_queue SET attempts = attempts + 1, last_error = $2, not_before = now() + least(60, 2 ^ attempts) * interval '1 second',
       status = CASE WHEN attempts + 1 >= $3 OR $4 THEN 'failed' ELSE 'pending' END WHERE id = $1`,
    [row.id, answer.reason, MAX_ATTEMPTS, answer.conflict !== null],
  );
  await session.query("UPDATE pfa_modification SET sync_status = 'error', sync_error = $2 WHERE id = $1", [
    row.modification_id,
    answer.reason,
  ]);
  if (answer.conflict !== null)
    await session.query("INSERT INTO pfa_sync_conflict (queue_id, pfa_id, local_value, remote_value) VALUES ($1, $2, $3, $4)", [
      row.id,
      row.pfa_id,
      JSON.stringify(row.payload),
      JSON.stringify(answer.conflict),
    ]);
}
