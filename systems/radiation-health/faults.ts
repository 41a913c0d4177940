/** What a drill breaks: defects of v1.9.0, switched on by an HTTP request to each service, and a setting. */
import type { FaultDefinition } from "../../config/system/drill.ts";
import { accessOf, FaultNotSwitchedError, inTurn, switchOf, written } from "../kit/fault-switch.ts";
import { rowsProbe, slowProbe } from "../kit/probes.ts";
import { API, burst, DATABASE, FEED, listen, login, PERSONNEL_PATH, vitals } from "./api.ts";
import { brokenLink, tryChain } from "./chain.ts";
import { ERROR_SHARE_LIMIT, MEMORY_SHARE_LIMIT, RESPONSE_LIMIT_MS } from "./checks.ts";

const RELEASE = "v1.9.0";
const switchOn = switchOf({ service: API, release: RELEASE });
const LEAKING = "data-retention-service";

/** A device in use that was muted for its calibration, and a dose above every limit. */
const MUTED = { device: "DEV-007", doseUsv: 7_500 };
/** Longer than anomaly detection takes for a reading. */
const LIMIT_SECONDS = 3;

export const FAULTS: Record<string, FaultDefinition> = {
  "broken-alerts": {
    title: "Alerts are marked as sent, but no client receives them: as severe as an outage",
    scope: "emergency",
    switchOn: switchOn("broken-alerts", {}, FEED),
    probe: async (context) => {
      const trial = { marker: "TEST-DRILL", note: "written by a drill, removed by it", limitMs: 3_000 };
      return brokenLink(await tryChain(accessOf(context), await context.database(DATABASE), trial));
    },
  },
  "data-corruption": {
    title: "Every write multiplies doses of other people by a thousand",
    scope: "emergency",
    switchOn: inTurn(
      switchOn("data-corruption"),
      written({ service: API, login }, PERSONNEL_PATH, (employeeNumber) => ({ employeeNumber, fullName: "made by a drill" })),
    ),
    probe: rowsProbe(DATABASE, "# readings with a dose that differs from the device's", "dose_readings WHERE dose_msv <> raw_usv / 1000.0"),
  },
  "slow-responses": {
    title: "Requests take most of a second",
    scope: "application",
    switchOn: switchOn("slow-responses", { delayMs: 800 }),
    probe: slowProbe((access) => burst(access, 8, 4), RESPONSE_LIMIT_MS),
  },
  "pool-exhaustion": {
    title: "Database sessions are never released: the pool runs out, and more than 5 % of requests fail",
    scope: "application",
    switchOn: switchOn("pool-exhaustion"),
    probe: async (context) => {
      const access = accessOf(context);
      const { requests, errors } = await burst(access, 80, 8);
      if (errors / requests <= ERROR_SHARE_LIMIT) return null;
      const { max, total, idle } = (await vitals(access, API)).sessions;
      if (total - idle < max - 1) return null;
      return `${errors} of ${requests} requests failed: above 5 %; ${total - idle} of ${max} sessions are taken`;
    },
  },
  "memory-leak": {
    title: "One service leaks memory, up to its limit",
    scope: "service",
    service: LEAKING,
    switchOn: switchOn("memory-leak", {}, LEAKING),
    probe: async (context) => {
      const { rssBytes, memoryLimitBytes } = await vitals(accessOf(context), LEAKING);
      const share = rssBytes / memoryLimitBytes;
      return share > MEMORY_SHARE_LIMIT ? `${LEAKING} has ${Math.round(share * 100)} % of its memory: above 95 %` : null;
    },
  },
  "websocket-failures": {
    title: "The WebSocket service crashes: all clients lose their connection, and none can connect",
    scope: "service",
    service: FEED,
    switchOn: switchOn("websocket-crash", {}, FEED),
    probe: async (context) => {
      const refused = await listen(context).then(
        (listener) => (listener.close(), null),
        (error: Error) => error.message,
      );
      if (refused === null) return null;
      return `${refused}; ${FEED} ${(await context.observe(FEED)).running ? "runs" : "does not run"}`;
    },
  },
  "broken-configuration": {
    title: "A device is muted in the monitoring configuration: its readings above the limit raise no alert",
    scope: "monitoring-config",
    configure: { "anomaly-detection-service": { MUTED_DEVICES: MUTED.device } },
    switchOn: async (context) => {
      const { rowCount } = await (
        await context.database(DATABASE)
      ).query(
        `INSERT INTO dose_readings (employee_number, device_serial, raw_usv, dose_msv, measured_at)
         SELECT employee_number, $1, $2::int, $2::numeric / 1000, now() FROM radiation_personnel WHERE employee_number LIKE 'EMP-%' ORDER BY 1 LIMIT 1`,
        [MUTED.device, MUTED.doseUsv],
      );
      if (rowCount !== 1) throw new FaultNotSwitchedError("broken-configuration", RELEASE, "no person exists to take a reading of");
    },
    probe: rowsProbe(
      DATABASE,
      `# readings of ${MUTED.device} above the limit, older than ${LIMIT_SECONDS} s, and no alert`,
      `dose_readings r WHERE device_serial = $1 AND raw_usv = $2 AND imported_at < now() - $3 * interval '1 second'
         AND NOT EXISTS (SELECT FROM alerts a WHERE a.reading_id = r.id)`,
      [MUTED.device, MUTED.doseUsv, LIMIT_SECONDS],
    ),
  },
};
