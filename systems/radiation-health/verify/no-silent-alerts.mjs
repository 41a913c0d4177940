#!/usr/bin/env -S npx zx
// title: No reading above its limit without an alert, no alert that was not sent
import pg from "pg";

/** Time for services to process a backlog. Milliseconds. */
const LIMIT_MS = 5_000;

const database = new pg.Client(process.env.DATABASE_URL);
await database.connect();

async function silentAlerts() {
  const { rows } = await database.query(
    `SELECT (SELECT count(*)::int FROM dose_readings r JOIN radiation_personnel p USING (employee_number) JOIN alert_thresholds t ON t.zone = p.zone
             WHERE r.dose_msv > t.limit_msv AND NOT EXISTS (SELECT FROM alerts a WHERE a.reading_id = r.id)) AS silent,
       (SELECT count(*)::int FROM alerts WHERE sent_at IS NULL) AS unsent, (SELECT count(*)::int FROM alerts) AS alerts`,
  );
  return rows[0];
}

const until = Date.now() + LIMIT_MS;
let seen = await silentAlerts();
while (seen.silent + seen.unsent > 0 && Date.now() < until) {
  await sleep(200);
  seen = await silentAlerts();
}
await database.end();

const ok = seen.silent + seen.unsent === 0;
const message = ok
  ? `each of ${seen.alerts} alerts was sent, and no reading lacks one`
  : `${seen.silent} readings above their limit have no alert, ${seen.unsent} alerts were not sent`;
echo(JSON.stringify({ ok, message }));
