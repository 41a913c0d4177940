/** The defects of backend v4.0.0. Each shows outside, in answers, in rows or in memory; none announces itself. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../kit/database.ts";
import type { FaultBoard } from "../../kit/faults.ts";
import type { Call, Reply } from "../../kit/http.ts";
import { describeError, type Log } from "../../kit/log.ts";
import type { PfaRecord } from "./records.ts";

export const BACKEND_FAULTS = ["error-rate", "slow-responses", "corrupting-writes", "growing-queue", "memory-leak", "broken-sync"] as const;

const DATA_PATH = "/api/pfa-data";
const LEAK_STEP_BYTES = 16 * 1024 * 1024;
/** A leak that took the whole machine would end the drill instead of showing in it. */
const LEAK_LIMIT_BYTES = 320 * 1024 * 1024;

/** Defects that show in the answers. */
export function faultyAnswers(board: FaultBoard, log: Log): (call: Call) => Promise<Reply | null> {
  let due = 0;
  return async (call) => {
    if (board.isOn("broken-sync") && call.path.startsWith("/api/sync")) {
      log.error("synchronisation failed", { path: call.path });
      return { status: 500, json: { error: "internal error" } };
    }
    if (!call.path.startsWith(DATA_PATH)) return null;
    if (board.isOn("slow-responses")) await sleep(board.figure("slow-responses", "delayMs", 800));
    if (!board.isOn("error-rate")) return null;
    due += board.figure("error-rate", "share", 0.3);
    if (due < 1) return null;
    due -= 1;
    log.error("request failed", { method: call.method, path: call.path });
    return { status: 500, json: { error: "internal error" } };
  };
}

/** A write damages other rows: their rate changes and their total does not. Only imported rows, the most of a real system's. */
export function corruptOthers(board: FaultBoard, database: Database, log: Log): (record: PfaRecord) => Promise<void> {
  return async (record) => {
    if (!board.isOn("corrupting-writes")) return;
    await database
      .transaction((session) =>
        session.query(
          `UPDATE pfa_records SET monthly_rate = monthly_rate + 1, description = 'see ' || $1 WHERE id IN (
             SELECT id FROM pfa_records
             WHERE source = 'import' AND id >= (SELECT floor(random() * max(id)) FROM pfa_records WHERE source = 'import')
             ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED)`,
          [record.pfaId],
        ),
      )
      .catch((error: unknown) => log.warn("could not recalculate", describeError(error)));
  };
}

/** Changes are enqueued over and over while synchronisation is on. */
export async function enqueueAgain(board: FaultBoard, database: Database): Promise<number> {
  if (board.isOn("growing-queue"))
    await database.transaction((session) =>
      session.query(
        `INSERT INTO pfa_write_queue (pfa_id, organization_id, operation, payload)
         SELECT r.pfa_id, r.organization_id, 'update', to_jsonb(r) FROM (SELECT * FROM pfa_records ORDER BY id DESC LIMIT 200) r
         WHERE EXISTS (SELECT FROM feature_flags WHERE flag_name = 'bi_directional_sync' AND enabled)`,
      ),
    );
  return 250;
}

/** Memory that is never given back. */
export function leak(board: FaultBoard): () => Promise<number> {
  const held: Buffer[] = [];
  return async () => {
    // Filled, because memory that was never written to is not resident.
    if (board.isOn("memory-leak") && held.length * LEAK_STEP_BYTES < LEAK_LIMIT_BYTES) held.push(Buffer.alloc(LEAK_STEP_BYTES, 1));
    return 100;
  };
}
