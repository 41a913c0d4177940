/** The defects of the newer API. Each shows outside, in answers or in rows; none announces itself. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../kit/database.ts";
import type { FaultBoard } from "../../kit/faults.ts";
import type { Call, Reply } from "../../kit/http.ts";
import type { Log } from "../../kit/log.ts";

export const API_DEFECTS = ["slow-responses", "pool-exhaustion", "data-corruption"] as const;

const DATA_PATH = "/api/radiation/";
/** One session is left: with none, requests would wait instead of failing. */
const LEFT = 1;

/** Until the program is ended: a session that is never given back would hold that up too. */
const never = (): Promise<never> => new Promise((_, reject) => process.once("SIGTERM", () => reject(new Error("the program ends"))));

export function faultyAnswers(faults: FaultBoard, database: Database, log: Log): (call: Call) => Promise<Reply | null> {
  let held = 0;
  return async (call) => {
    if (!call.path.startsWith(DATA_PATH)) return null;
    if (faults.isOn("slow-responses")) await sleep(faults.figure("slow-responses", "delayMs", 800));
    if (!faults.isOn("pool-exhaustion")) return null;
    const { max, total, idle } = database.sessions();
    // A session that was taken for a request and never given back.
    for (; held < max - LEFT; held += 1) void database.transaction(never).catch(() => undefined);
    if (total < max || idle > 0) return null;
    log.error("no database session is free", { method: call.method, path: call.path });
    return { status: 500, json: { error: "internal error" } };
  };
}

/** Each write takes doses of other people for a thousand times what they were. */
export function corruptDoses(faults: FaultBoard, database: Database): () => Promise<void> {
  return async () => {
    if (!faults.isOn("data-corruption")) return;
    await database.transaction((session) =>
      session.query(
        `UPDATE dose_readings SET dose_msv = dose_msv * 1000 WHERE id IN (
           SELECT id FROM dose_readings WHERE raw_usv > 0 AND dose_msv = raw_usv / 1000.0 ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED)`,
      ),
    );
  };
}
