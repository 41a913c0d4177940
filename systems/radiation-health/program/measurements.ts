/** Devices, readings and alerts to look at, and the way in for the files of dosimeters. */
import type { Database } from "../../kit/database.ts";
import type { Route } from "../../kit/http.ts";
import { userOf } from "../../kit/login.ts";
import { text } from "./personnel.ts";

const LIMIT = 100;

export function measurementRoutes(database: Database, jwtSecret: string): Route[] {
  const list = (path: string, name: string, sql: string): Route => ({
    method: "GET",
    path,
    handle: async () => {
      const rows = await database.read(sql, [LIMIT]);
      return { json: { [name]: rows, count: rows.length } };
    },
  });
  return [
    list(
      "/api/radiation/devices",
      "devices",
      `SELECT serial, title, zone, calibrated_on AS "calibratedOn" FROM devices ORDER BY serial LIMIT $1`,
    ),
    list(
      "/api/radiation/readings",
      "readings",
      `SELECT id::float8 AS id, employee_number AS "employeeNumber", device_serial AS "deviceSerial", dose_msv::float8 AS "doseMsv", anomaly,
         measured_at AS "measuredAt" FROM dose_readings ORDER BY id DESC LIMIT $1`,
    ),
    list(
      "/api/radiation/alerts",
      "alerts",
      `SELECT id::float8 AS id, employee_number AS "employeeNumber", dose_msv::float8 AS "doseMsv", raised_at AS "raisedAt", sent_at AS "sentAt"
       FROM alerts ORDER BY id DESC LIMIT $1`,
    ),
    {
      method: "POST",
      path: "/api/radiation/csv-imports",
      handle: async (call) => {
        userOf(call, jwtSecret);
        const values = [text(call, "fileName"), text(call, "content")];
        const id = await database.transaction(
          async (session) =>
            (
              await session.query<{ id: number }>(
                "INSERT INTO csv_imports (file_name, content) VALUES ($1, $2) RETURNING id::float8 AS id",
                values,
              )
            ).rows[0]!.id,
        );
        return { json: { id } };
      },
    },
  ];
}
