/** Sends alerts to everybody who is connected, in order. One whose sending could not be noted is sent again: better twice than never. */
import type { Database } from "../../kit/database.ts";

const BATCH = 100;

export interface SentAlert {
  type: "alert";
  id: number;
  employeeNumber: string;
  deviceSerial: string;
  doseMsv: number;
  limitMsv: number;
  raisedAt: string;
}

/** @param send hands one alert on, and says to how many. @returns how many alerts were sent. */
export async function sendAlerts(database: Database, send: (alert: SentAlert) => number): Promise<number> {
  return database.transaction(async (session) => {
    const { rows } = await session.query<Omit<SentAlert, "type">>(
      `SELECT id::float8 AS id, employee_number AS "employeeNumber", device_serial AS "deviceSerial", dose_msv::float8 AS "doseMsv",
         limit_msv::float8 AS "limitMsv", raised_at AS "raisedAt" FROM alerts WHERE sent_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`,
      [BATCH],
    );
    for (const alert of rows)
      await session.query("UPDATE alerts SET sent_at = now(), receivers = $2 WHERE id = $1", [alert.id, send({ type: "alert", ...alert })]);
    return rows.length;
  });
}
