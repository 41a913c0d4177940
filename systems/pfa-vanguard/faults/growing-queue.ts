import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import type { FaultDefinition } from "../../../config/system/drill.ts";
import { switchBackend, switchWorker } from "./switch.ts";

const LIMIT_ROWS = 1000;
/** Long enough for several rounds of enqueuing, and for a worker that drains to show. */
const BETWEEN_MS = 1000;

export const growingQueue: FaultDefinition = {
  title: "The worker stops draining while changes are enqueued continuously",
  scope: "worker",
  switchOn: async (context) => {
    await switchWorker(context, "growing-queue");
    await switchBackend(context, "growing-queue");
  },
  probe: async (context) => {
    const database = await context.database("pfa");
    const before = await pending(database);
    if (before <= LIMIT_ROWS) return null;
    await sleep(BETWEEN_MS);
    const after = await pending(database);
    return after > before ? `${after} rows wait in the queue, ${after - before} more than ${BETWEEN_MS} ms before` : null;
  },
};

async function pending(database: Client): Promise<number> {
  const known = await database.query<{ known: boolean }>("SELECT to_regclass('pfa_write_queue') IS NOT NULL AS known");
  if (known.rows[0]?.known !== true) return 0;
  const { rows } = await database.query<{ rows: number }>("SELECT count(*)::int AS rows FROM pfa_write_queue WHERE status = 'pending'");
  return rows[0]?.rows ?? 0;
}
