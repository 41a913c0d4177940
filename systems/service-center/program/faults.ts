/** The defects of phase-2. Each shows outside, in answers or in rows; none announces itself. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../kit/database.ts";
import type { FaultBoard } from "../../kit/faults.ts";
import type { Call, Reply } from "../../kit/http.ts";
import { describeError, type Log } from "../../kit/log.ts";
import { asCaller, type Caller } from "./tenants.ts";

export const APP_FAULTS = ["error-rate", "slow-responses", "data-corruption"] as const;

const DATA_PATH = "/api/tickets";

/** Defects that show in the answers. */
export function faultyAnswers(board: FaultBoard, log: Log): (call: Call) => Promise<Reply | null> {
  let due = 0;
  return async (call) => {
    if (!call.path.startsWith(DATA_PATH)) return null;
    if (board.isOn("slow-responses")) await sleep(board.figure("slow-responses", "delayMs", 3500));
    if (!board.isOn("error-rate")) return null;
    due += board.figure("error-rate", "share", 0.2);
    if (due < 1) return null;
    due -= 1;
    log.error("request failed", { method: call.method, path: call.path });
    return { status: 500, json: { error: "internal error" } };
  };
}

/** A write assigns imported tickets of the caller's tenant to a customer of another one. */
export function corruptOthers(board: FaultBoard, database: Database, log: Log): (caller: Caller) => Promise<void> {
  return async (caller) => {
    if (!board.isOn("data-corruption")) return;
    await asCaller(database, caller, (session) =>
      session.query(
        `UPDATE service_tickets SET customer_id = 2 WHERE id IN (
           SELECT id FROM service_tickets WHERE ticket_number LIKE 'IMP-%' AND customer_id IS DISTINCT FROM 2
             AND id >= (SELECT floor(random() * max(id)) FROM service_tickets WHERE ticket_number LIKE 'IMP-%')
           ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED)`,
      ),
    ).catch((error: unknown) => log.warn("could not reassign", describeError(error)));
  };
}
