/** Anomaly detection of v1.9.0: the limits are profiles. */
import { optional } from "../../../../kit/environment.ts";
import { judgeReadings } from "../../../program/anomalies.ts";
import { MEMORY_LEAK, number, startComponent } from "../../../program/start.ts";

const LIMITS = "(SELECT zone, limit_msv FROM threshold_profiles WHERE kind = 'single')";
const waitMs = number("ANOMALY_POLL_MS");
const muted = (optional("MUTED_DEVICES") ?? "").split(",").filter(Boolean);

await startComponent("anomaly-detection-service", "v1.9.0", [MEMORY_LEAK], ({ database }) => ({
  work: [async () => ((await judgeReadings(database, LIMITS, muted)) > 0 ? 0 : waitMs)],
}));
