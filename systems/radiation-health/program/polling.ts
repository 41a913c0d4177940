/** Turns the files that wait into readings: each whole or, with the reason noted, not at all. */
import type { Database, Session } from "../../kit/database.ts";
import { parseCsv } from "../../kit/csv.ts";
import { describeError, type Log } from "../../kit/log.ts";

const COLUMNS = ["employee_number", "device_serial", "dose_usv", "measured_at"];

/** Imports the oldest file that waits; false where none does. */
export async function importNext(database: Database, log: Log): Promise<boolean> {
  return database.transaction(async (session) => {
    const { rows } = await session.query<{ id: string; content: string; name: string }>(
      "SELECT id, content, file_name AS name FROM csv_imports WHERE imported_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
    );
    const file = rows[0];
    if (file === undefined) return false;
    await session.query("SAVEPOINT file");
    const failure = await importFile(session, file).catch(async (error: unknown) => {
      // What the server says of one row is the file's fault; anything else is tried again.
      const { reason, code } = describeError(error);
      if (code !== undefined && !code.startsWith("22") && !code.startsWith("23")) throw error;
      await session.query("ROLLBACK TO SAVEPOINT file");
      log.warn("a file was not imported", { file: file.name, reason });
      return reason;
    });
    await session.query("UPDATE csv_imports SET imported_at = now(), failure = $2 WHERE id = $1", [file.id, failure]);
    return true;
  });
}

async function importFile(session: Session, { id, content }: { id: string; content: string }): Promise<null> {
  for (const row of parseCsv(content, COLUMNS))
    await session.query(
      `INSERT INTO dose_readings (import_id, employee_number, device_serial, raw_usv, dose_msv, measured_at)
       VALUES ($1, $2, $3, $4::int, $4::numeric / 1000, $5::timestamptz)`,
      [id, row["employee_number"], row["device_serial"], row["dose_usv"], row["measured_at"]],
    );
  return null;
}
