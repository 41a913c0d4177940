/** `/api/sync`: state of the synchronisation with PEMS, and pushing again what failed. Behind the feature flag. */
import { HttpError, type Call, type Route } from "../../kit/http.ts";
import { userOf } from "../../kit/login.ts";
import type { Database } from "../../kit/database.ts";
import { SYNC_FLAG } from "./history.ts";

export function syncRoutes(database: Database, jwtSecret: string): Route[] {
  const guard = async (call: Call): Promise<void> => {
    userOf(call, jwtSecret);
    const flags = await database.read<{ enabled: boolean }>("SELECT enabled FROM feature_flags WHERE flag_name = $1", [SYNC_FLAG]);
    if (flags[0]?.enabled !== true) throw new HttpError(403, "synchronisation is switched off");
  };
  return [
    {
      method: "GET",
      path: "/api/sync/status",
      handle: async (call) => {
        await guard(call);
        const rows = await database.read<{ status: string; rows: number }>(
          "SELECT status, count(*)::int AS rows FROM pfa_write_queue GROUP BY status",
        );
        return { json: { pending: 0, pushed: 0, failed: 0, ...Object.fromEntries(rows.map((row) => [row.status, row.rows])) } };
      },
    },
    {
      method: "POST",
      path: "/api/sync/retry",
      handle: async (call) => {
        await guard(call);
        const retried = await database.transaction(
          async (session) =>
            (await session.query("UPDATE pfa_write_queue SET status = 'pending', attempts = 0, not_before = now() WHERE status = 'failed'"))
              .rowCount,
        );
        return { json: { retried } };
      },
    },
  ];
}
