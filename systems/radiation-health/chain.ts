/** Tests the whole path of an alert: an uploaded file becomes a reading, an anomaly and an alert, and a listening client receives it. */
import type { Client } from "pg";
import type { Access } from "../kit/client.ts";
import { handIn, listen } from "./api.ts";

/** Four times the limit of the zone, in thousandths. */
const DOSE_USV = 20_000;
const ZONE = "controlled";

export interface Trial {
  /** Number of the person and serial of the device, which exist only for the trial. */
  marker: string;
  /** Name of the person: only rows with it are removed. */
  note: string;
  /** How long the alert may take, milliseconds. */
  limitMs: number;
}

/** Progress of the trial. */
export interface Chain {
  reading: boolean;
  anomaly: boolean;
  /** The alert exists. */
  raised: boolean;
  /** It is marked as sent. */
  sent: boolean;
  /** A listening client has received it. */
  received: boolean;
  tookMs: number;
}

/** Leaves nothing behind. @throws if the connection or the upload fails. */
export async function tryChain(access: Access, database: Client, trial: Trial): Promise<Chain> {
  await removeTrial(database, trial);
  try {
    const made = [trial.marker, trial.note, ZONE];
    await database.query("INSERT INTO devices (serial, title, zone) VALUES ($1, $2, $3)", made);
    await database.query("INSERT INTO radiation_personnel (employee_number, full_name, zone) VALUES ($1, $2, $3)", made);
    const listener = await listen(access);
    try {
      const startedAt = performance.now();
      const reading = [trial.marker, trial.marker, DOSE_USV, new Date().toISOString()].join(",");
      await handIn(access, `${trial.marker}.csv`, `employee_number,device_serial,dose_usv,measured_at\n${reading}\n`);
      const alert = await listener.heard(
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

/** The problem, in words; null: the alert was received. */
export function brokenLink({ reading, anomaly, raised, sent, received, tookMs }: Chain): string | null {
  if (received) return null;
  const links: [boolean, string][] = [
    [reading, "the file did not become a reading"],
    [anomaly, "the reading was not detected as an anomaly"],
    [raised, "the anomaly raised no alert"],
    [sent, "the alert was not sent"],
    [received, "the alert is marked as sent, but was not received"],
  ];
  return `${links.find(([held]) => !held)![1]}, within ${tookMs} ms`;
}

/** The alert may be received before its row is committed as sent. */
async function farOf(database: Client, { marker }: Trial): Promise<Omit<Chain, "received" | "tookMs">> {
  const { rows } = await database.query<{ anomaly: boolean; raised: boolean; sent: boolean }>(
    `SELECT r.anomaly, a.id IS NOT NULL AS raised, a.sent_at IS NOT NULL AS sent
     FROM dose_readings r LEFT JOIN alerts a ON a.reading_id = r.id WHERE r.device_serial = $1`,
    [marker],
  );
  return { reading: rows.length > 0, anomaly: rows[0]?.anomaly === true, raised: rows[0]?.raised === true, sent: rows[0]?.sent === true };
}

/** Also removes the rest of an interrupted trial. A real person with that number stays, with all rows. */
export async function removeTrial(database: Client, trial: Pick<Trial, "marker" | "note">): Promise<void> {
  const { marker, note } = trial;
  await database.query("BEGIN");
  try {
    // First the file, which could still become a reading.
    await database.query("DELETE FROM csv_imports WHERE file_name = $1", [`${marker}.csv`]);
    const ours = "(SELECT serial FROM devices WHERE serial = $1 AND title = $2)";
    await database.query(`DELETE FROM alerts WHERE device_serial IN ${ours}`, [marker, note]);
    await database.query(`DELETE FROM dose_readings WHERE device_serial IN ${ours}`, [marker, note]);
    const trends = await database.query<{ there: boolean }>("SELECT to_regclass('dose_trends') IS NOT NULL AS there");
    if (trends.rows[0]?.there === true)
      await database.query(
        `DELETE FROM dose_trends WHERE employee_number IN (SELECT employee_number FROM radiation_personnel WHERE employee_number = $1 AND full_name = $2)`,
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
