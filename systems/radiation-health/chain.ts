/** The whole way of an alert, tried: a file is handed in, becomes a reading, an anomaly and an alert, and somebody who listens hears of it. */
import type { Client } from "pg";
import { handIn, listen, type Access } from "./api.ts";
import { FEATURE_TABLES } from "./database.ts";

/** Four times the limit of the zone, in thousandths. */
const DOSE_USV = 20_000;
const ZONE = "controlled";

export interface Trial {
  /** Number of the person and serial of the device, which exist for the trial alone. */
  marker: string;
  /** Name of the person: what is removed must carry it. */
  note: string;
  /** How long the alert may take, milliseconds. */
  limitMs: number;
}

/** How far it came. */
export interface Chain {
  reading: boolean;
  anomaly: boolean;
  /** The alert exists. */
  raised: boolean;
  /** It was noted as sent. */
  sent: boolean;
  /** Somebody who listened has heard it. */
  received: boolean;
  tookMs: number;
}

/** Leaves nothing behind. @throws where nobody can listen or hand in. */
export async function tryChain(access: Access, database: Client, trial: Trial): Promise<Chain> {
  await removeTrial(database, trial);
  try {
    await database.query("INSERT INTO devices (serial, title, zone) VALUES ($1, $2, $3)", [trial.marker, trial.note, ZONE]);
    await database.query("INSERT INTO radiation_personnel (employee_number, full_name, zone) VALUES ($1, $2, $3)", [
      trial.marker,
      trial.note,
      ZONE,
    ]);
    const listener = await listen(access);
    try {
      const startedAt = performance.now();
      await handIn(access, fileName(trial), csvOf(trial));
      const alert = await listener.alert(
        ({ employeeNumber, deviceSerial }) => employeeNumber === trial.marker && deviceSerial === trial.marker,
        trial.limitMs,
      );
      return { ...(await farOf(database, trial)), received: alert !== null, tookMs: Math.round(performance.now() - startedAt) };
    } finally {
      listener.close();
    }
  } finally {
    await removeTrial(database, trial);
  }
}

/** What is wrong, in words; null where the alert was received. */
export function brokenLink({ reading, anomaly, raised, sent, received, tookMs }: Chain): string | null {
  if (received) return null;
  const where = !reading
    ? "the file did not become a reading"
    : !anomaly
      ? "the reading was not seen as an anomaly"
      : !raised
        ? "the anomaly raised no alert"
        : !sent
          ? "the alert was not sent"
          : "the alert is noted as sent, but nobody received it";
  return `${where}, within ${tookMs} ms`;
}

/** Sent and heard are two things: the row may not be committed yet when the alert is heard. */
async function farOf(database: Client, { marker }: Trial): Promise<Omit<Chain, "received" | "tookMs">> {
  const { rows } = await database.query<{ anomaly: boolean; raised: boolean; sent: boolean }>(
    `SELECT r.anomaly, a.id IS NOT NULL AS raised, a.sent_at IS NOT NULL AS sent
     FROM dose_readings r LEFT JOIN alerts a ON a.reading_id = r.id WHERE r.device_serial = $1`,
    [marker],
  );
  return { reading: rows.length > 0, anomaly: rows[0]?.anomaly === true, raised: rows[0]?.raised === true, sent: rows[0]?.sent === true };
}

const fileName = ({ marker }: Trial): string => `${marker}.csv`;

function csvOf({ marker }: Trial): string {
  return `employee_number,device_serial,dose_usv,measured_at\n${marker},${marker},${DOSE_USV},${new Date().toISOString()}\n`;
}

/** Also what an interrupted trial left. Somebody of that number who is no trial stays, with everything of theirs. */
export async function removeTrial(database: Client, trial: Pick<Trial, "marker" | "note">): Promise<void> {
  const { marker, note } = trial;
  await database.query("BEGIN");
  try {
    // First what could still become a reading.
    await database.query("DELETE FROM csv_imports WHERE file_name = $1", [`${marker}.csv`]);
    const ours = "(SELECT serial FROM devices WHERE serial = $1 AND title = $2)";
    await database.query(`DELETE FROM alerts WHERE device_serial IN ${ours}`, [marker, note]);
    await database.query(`DELETE FROM dose_readings WHERE device_serial IN ${ours}`, [marker, note]);
    const trends = await database.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [FEATURE_TABLES[1]]);
    if (trends.rows[0]?.there === true)
      await database.query(
        `DELETE FROM ${FEATURE_TABLES[1]!} WHERE employee_number IN (SELECT employee_number FROM radiation_personnel WHERE employee_number = $1 AND full_name = $2)`,
        [marker, note],
      );
    await database.query("DELETE FROM devices WHERE serial = $1 AND title = $2", [marker, note]);
    await database.query("DELETE FROM radiation_personnel WHERE employee_number = $1 AND full_name = $2", [marker, note]);
    await database.query("COMMIT");
  } catch (error) {
    await database.query("ROLLBACK");
    throw error;
  }
}
