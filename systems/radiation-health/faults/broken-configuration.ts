import type { DrillContext, FaultDefinition } from "../../../config/system/drill.ts";
import { DATABASE } from "../database.ts";
import { FaultNotSwitchedError } from "../../kit/fault-switch.ts";

/** A device in use that was muted for its calibration. */
const DEVICE = "DEV-007";
/** Above every limit. */
const DOSE_USV = 7_500;
/** Longer than anomaly detection takes for a reading. Seconds. */
const LIMIT_SECONDS = 3;

const waiting = async (context: DrillContext): Promise<number> => {
  const { rows } = await (
    await context.database(DATABASE)
  ).query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM dose_readings r WHERE device_serial = $1 AND raw_usv = $2 AND imported_at < now() - $3 * interval '1 second'
       AND NOT EXISTS (SELECT FROM alerts a WHERE a.reading_id = r.id)`,
    [DEVICE, DOSE_USV, LIMIT_SECONDS],
  );
  return rows[0]!.rows;
};

export const brokenConfiguration: FaultDefinition = {
  title: "A device is muted in the monitoring configuration: its readings above the limit raise no alert",
  scope: "monitoring-config",
  configure: { "anomaly-detection-service": { MUTED_DEVICES: DEVICE } },
  switchOn: async (context) => {
    const { rowCount } = await (
      await context.database(DATABASE)
    ).query(
      `INSERT INTO dose_readings (employee_number, device_serial, raw_usv, dose_msv, measured_at)
       SELECT employee_number, $1, $2::int, $2::numeric / 1000, now() FROM radiation_personnel WHERE employee_number LIKE 'EMP-%' ORDER BY 1 LIMIT 1`,
      [DEVICE, DOSE_USV],
    );
    if (rowCount !== 1)
      throw new FaultNotSwitchedError("broken-configuration", "v1.9.0", new Error("no person exists to take a reading of"));
  },
  probe: async (context) => {
    const rows = await waiting(context);
    return rows > 0 ? `${rows} readings of ${DEVICE} above the limit, older than ${LIMIT_SECONDS} s, and no alert` : null;
  },
};
