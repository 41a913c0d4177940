/** Radiation Health Monitoring: five services under one supervisor, alerts over WebSockets, one PostgreSQL database. */
import type { DrilledSystem } from "../../config/system/definition.ts";
import { generated } from "../../config/system/secret.ts";
import { getJson, PERSONNEL_PATH } from "./api.ts";
import { CHECKS } from "./checks/all.ts";
import { services, listeners, SECRETS, STOP_ORDER } from "./services.ts";
import { DATABASE, effects, radiationDatabase } from "./database.ts";
import { FAULTS } from "./faults/all.ts";
import { MESSAGES } from "./messages.ts";
import { policy, TRIAL_HOURS } from "./policy.ts";
import { scopes } from "./scopes.ts";
import { seed } from "./seed.ts";
import { witness } from "./witness.ts";

/** Checks of the watch: none that writes, none that only compares with the time of the rollback. */
const WATCHED = [
  "all-online",
  "health",
  "personnel",
  "devices",
  "websocket",
  "no-silent-alerts",
  "error-rate",
  "memory",
  "connections",
  "error-log",
];

export const radiationHealth: DrilledSystem = {
  name: "radiation-health",
  title: "Radiation Health Monitoring",
  folder: import.meta.dirname,
  services,
  stopOrder: STOP_ORDER,
  databases: { [DATABASE]: radiationDatabase },
  listeners,
  secrets: generated(Object.values(SECRETS)),
  effects,
  scopes,
  defaultScope: "emergency",
  checks: CHECKS,
  watches: {
    stability: {
      title: "Two hours until the system counts as stable",
      after: Object.keys(scopes),
      durationMinutes: 120,
      // With every status update.
      intervalSeconds: 900,
      checks: WATCHED,
      pass: { healthyShare: 1, limits: [{ title: "errors per request", figure: "errors", per: "requests", over: "sum", below: 0.05 }] },
    },
  },
  readProbe: async (context) => Promise.resolve(async () => void (await getJson(context, `${PERSONNEL_PATH}?limit=20`))),
  deployment: { before: ["backup", "tag", "configuration", "trial-rollback", "notification"], trialWithinHours: TRIAL_HOURS },
  policy,
  maintenanceMessage: MESSAGES.rollback,
  retryAfterSeconds: 60,
  drill: { from: "v1.9.0", to: "v1.8.0", defaultFault: "broken-alerts", faults: FAULTS, seed, witness, standIns: {} },
};

export { radiationHealth as definition };
