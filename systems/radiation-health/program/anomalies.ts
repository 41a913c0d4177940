/** Judges readings: every one above its zone's limit is an anomaly and raises an alert, in the same transaction. */
import type { Database } from "../../kit/database.ts";

const BATCH = 200;

/** Table or view with `zone` and `limit_msv`, by release. */
export type Limits = "alert_thresholds" | "(SELECT zone, limit_msv FROM threshold_profiles WHERE kind = 'single')";

/**
 * Judges the oldest readings that wait.
 * @param muted devices nobody wants to hear of, e.g. while they are calibrated; their readings wait.
 * @returns how many were judged.
 */
export async function judgeReadings(database: Database, limits: Limits, muted: readonly string[]): Promise<number> {
  return database.transaction(async (session) => {
    const { rows } = await session.query<{ judged: number }>(
      `WITH waiting AS (
         SELECT r.id, l.limit_msv FROM dose_readings r JOIN radiation_personnel p USING (employee_number) JOIN ${limits} l ON l.zone = p.zone
         WHERE r.evaluated_at IS NULL AND NOT r.device_serial = ANY ($1) ORDER BY r.id LIMIT $2 FOR UPDATE OF r SKIP LOCKED
       ), judged AS (
         UPDATE dose_readings r SET evaluated_at = now(), anomaly = r.dose_msv > waiting.limit_msv FROM waiting WHERE r.id = waiting.id
         RETURNING r.id, r.employee_number, r.device_serial, r.dose_msv, waiting.limit_msv, r.anomaly
       ), raised AS (
         INSERT INTO alerts (reading_id, employee_number, device_serial, dose_msv, limit_msv)
         SELECT id, employee_number, device_serial, dose_msv, limit_msv FROM judged WHERE anomaly ON CONFLICT (reading_id) DO NOTHING
       ) SELECT count(*)::int AS judged FROM judged`,
      [muted, BATCH],
    );
    return rows[0]?.judged ?? 0;
  });
}
