/** Removes what need not be kept any longer. */
import type { Database } from "../../kit/database.ts";

/** Readings (with their alerts) measured more than `days` ago, and files imported then. @returns how many readings went. */
export async function removeOld(database: Database, days: number): Promise<number> {
  return database.transaction(async (session) => {
    const { rowCount } = await session.query("DELETE FROM dose_readings WHERE measured_at < now() - $1 * interval '1 day'", [days]);
    await session.query("DELETE FROM csv_imports WHERE imported_at < now() - $1 * interval '1 day'", [days]);
    return rowCount ?? 0;
  });
}

/** Dose by person and month; rows that say the same already are left alone. Newer schema only. */
export async function refreshTrends(database: Database): Promise<void> {
  await database.transaction((session) =>
    session.query(
      `INSERT INTO dose_trends (employee_number, month, dose_msv, readings)
       SELECT employee_number, date_trunc('month', measured_at AT TIME ZONE 'UTC')::date, sum(dose_msv), count(*) FROM dose_readings GROUP BY 1, 2
       ON CONFLICT (employee_number, month) DO UPDATE SET dose_msv = excluded.dose_msv, readings = excluded.readings
       WHERE (dose_trends.dose_msv, dose_trends.readings) IS DISTINCT FROM (excluded.dose_msv, excluded.readings)`,
    ),
  );
}
