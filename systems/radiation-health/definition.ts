/** Radiation Health Monitoring: five services under one supervisor, alerts over WebSockets, one PostgreSQL database. */
import { defineSystem, postgres } from "../../components/define.ts";
import { generated } from "../../config/system/secret.ts";
import { kitProgram, kitWitness } from "../kit/described.ts";
import { API, DATABASE, FEED, getJson, PERSONNEL_PATH, SOCKET_PATH, TEST_USER, TEST_USER_SECRET } from "./api.ts";
import { CHECKS } from "./checks.ts";
import { FAULTS } from "./faults.ts";
import { scopes, watches } from "./scopes.ts";
import { seed } from "./seed.ts";

export const definition = defineSystem(
  "radiation-health",
  {
    title: "Radiation Health Monitoring",
    services: {
      [API]: kitProgram({
        database: DATABASE,
        health: "/api/health",
        secrets: { JWT_SECRET: "jwt", TEST_USER_PASSWORD: TEST_USER_SECRET },
      }),
      "csv-polling-service": kitProgram({ kind: "worker", database: DATABASE }),
      "data-retention-service": kitProgram({ kind: "worker", database: DATABASE }),
      // Its clients only listen.
      [FEED]: { ...kitProgram({ database: DATABASE }), readOnlyAllow: [{ method: "UPGRADE", path: SOCKET_PATH }] },
      "anomaly-detection-service": kitProgram({ kind: "worker", database: DATABASE }),
    },
    // Every one of them writes to the database, so all are stopped before it is touched; first those nobody waits for.
    stopOrder: ["csv-polling-service", "anomaly-detection-service", "data-retention-service", FEED, API],
    secrets: generated([TEST_USER_SECRET, "jwt"]),
    databases: {
      [DATABASE]: postgres({
        migrations: "migrations",
        ledger: "prisma",
        tables: ["radiation_personnel", "devices", "csv_imports", "dose_readings", "alerts", "threshold_profiles", "dose_trends"],
        principalTable: "dose_readings",
      }),
    },
    effects: [
      {
        service: FEED,
        title: "alerts already sent to clients",
        database: DATABASE,
        countSql: "SELECT count(*)::int AS rows FROM alerts WHERE receivers > 0 AND sent_at >= $1",
        requiresTable: "alerts",
      },
    ],
    scopes,
    checks: CHECKS,
    watches,
    readProbe: async (context) => Promise.resolve(async () => void (await getJson(context, `${PERSONNEL_PATH}?limit=20`))),
    deployment: { before: ["backup", "tag", "configuration", "trial-rollback", "notification"], trialWithinHours: 24 },
    maintenanceMessage: "UNDERGOING ROLLBACK",
    drill: {
      from: "v1.9.0",
      to: "v1.8.0",
      faults: FAULTS,
      seed,
      witness: kitWitness({
        service: API,
        username: TEST_USER,
        secret: TEST_USER_SECRET,
        path: PERSONNEL_PATH,
        table: "radiation_personnel",
        key: "employee_number",
        value: "full_name",
      }),
    },
  },
  import.meta.dirname,
);
