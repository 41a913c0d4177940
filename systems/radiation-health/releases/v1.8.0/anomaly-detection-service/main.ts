/** Anomaly detection of v1.8.0: one limit a zone. */
import { optional } from "../../../../kit/environment.ts";
import { judgeReadings } from "../../../program/anomalies.ts";
import { number, startComponent } from "../../../program/start.ts";

const waitMs = number("ANOMALY_POLL_MS");
const muted = (optional("MUTED_DEVICES") ?? "").split(",").filter(Boolean);

await startComponent("anomaly-detection-service", "v1.8.0", [], ({ database }) => ({
  work: [async () => ((await judgeReadings(database, "alert_thresholds", muted)) > 0 ? 0 : waitMs)],
}));
