import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { check, failed, passed } from "../../kit/outcome.ts";
import { DATABASE } from "../database.ts";

/** Time for services to process a backlog. Milliseconds. */
const LIMIT_MS = 5_000;

export const noSilentAlerts = check(
  "no-silent-alerts",
  "No reading above its limit without an alert, no alert that was not sent",
  async (context) => {
    const database = await context.database(DATABASE);
    const until = Date.now() + LIMIT_MS;
    for (;;) {
      const { silent, unsent, alerts } = await silentAlerts(database);
      if (silent + unsent === 0) return passed(`each of ${alerts} alerts was sent, and no reading lacks one`);
      if (Date.now() > until) return failed(`${silent} readings above their limit have no alert, ${unsent} alerts were not sent`);
      await sleep(200);
    }
  },
);

async function silentAlerts(database: Client): Promise<{ silent: number; unsent: number; alerts: number }> {
  const { rows } = await database.query<{ silent: number; unsent: number; alerts: number }>(
    `SELECT (SELECT count(*)::int FROM dose_readings r JOIN radiation_personnel p USING (employee_number) JOIN alert_thresholds t ON t.zone = p.zone
             WHERE r.dose_msv > t.limit_msv AND NOT EXISTS (SELECT FROM alerts a WHERE a.reading_id = r.id)) AS silent,
       (SELECT count(*)::int FROM alerts WHERE sent_at IS NULL) AS unsent, (SELECT count(*)::int FROM alerts) AS alerts`,
  );
  return rows[0]!;
}
