/** Data of any size, made in the database. The same number of rows gives the same content; nothing of it is left for a service to do. */
import type { DataAccess } from "../../config/system/check.ts";
import { inBulk, nextIds } from "../kit/seed.ts";
import { DATABASE } from "./api.ts";

const DEVICES = 20;
/** One person for so many readings. */
const READINGS_EACH = 10;
/** Every so-and-so-many-th reading is above every limit. */
const ANOMALY_EVERY = 250;

/** Adds `rows` readings, with people, devices and alerts. */
export const seed = (data: DataAccess, rows: number): Promise<void> =>
  inBulk(data, DATABASE, async (database) => {
    const range = await nextIds(database, "dose_readings", rows);
    await database.query(
      `INSERT INTO devices (serial, title, zone, calibrated_on)
     SELECT 'DEV-' || lpad(i::text, 3, '0'), 'Dosimeter ' || i, (ARRAY['supervised', 'controlled'])[1 + i % 2], date '2025-01-01' + i
     FROM generate_series(1, $1::int) AS i ON CONFLICT DO NOTHING`,
      [DEVICES],
    );
    await database.query(
      `INSERT INTO radiation_personnel (employee_number, full_name, zone, created_at)
     SELECT 'EMP-' || lpad(i::text, 7, '0'), 'Person ' || i, (ARRAY['supervised', 'controlled'])[1 + i % 2], timestamptz '2025-01-01 00:00:00Z'
     FROM generate_series($1::bigint / ${READINGS_EACH}, $2::bigint / ${READINGS_EACH}) AS i ON CONFLICT DO NOTHING`,
      range,
    );
    await database.query(
      `INSERT INTO dose_readings (employee_number, device_serial, raw_usv, dose_msv, measured_at, imported_at, evaluated_at, anomaly)
     SELECT 'EMP-' || lpad((i / ${READINGS_EACH})::text, 7, '0'), 'DEV-' || lpad((1 + i % ${DEVICES})::text, 3, '0'), usv, usv / 1000.0, at, at, at, usv > 5000
     FROM (SELECT i, CASE WHEN i % ${ANOMALY_EVERY} = 0 THEN 6000 + i % 1000 ELSE 1 + i % 400 END AS usv,
             timestamptz '2025-01-01 00:00:00Z' + i % 100000 * interval '5 minutes' AS at FROM generate_series($1::bigint, $2::bigint) AS i) AS made`,
      range,
    );
    await database.query(
      `INSERT INTO alerts (reading_id, employee_number, device_serial, dose_msv, limit_msv, raised_at, sent_at, receivers)
     SELECT r.id, r.employee_number, r.device_serial, r.dose_msv, t.limit_msv, r.measured_at, r.measured_at, 1
     FROM dose_readings r JOIN radiation_personnel p USING (employee_number) JOIN alert_thresholds t ON t.zone = p.zone
     WHERE r.anomaly AND NOT EXISTS (SELECT FROM alerts a WHERE a.reading_id = r.id) ORDER BY r.id`,
    );
  });
