/** PFA Vanguard: a backend, a worker that writes to the external PEMS API, a static frontend, one PostgreSQL database. */
import { defineSystem, postgres } from "../../components/define.ts";
import { site } from "../../components/workloads.ts";
import { generated } from "../../config/system/secret.ts";
import { kitProgram, kitWitness, probeOf, READ_ONLY } from "../kit/described.ts";
import { DROP_SYNC_TABLES, list, login, ORGANIZATION, SYNC_MIGRATION, SYNC_TABLES, TEST_USER, TEST_USER_SECRET } from "./api.ts";
import { CHECKS } from "./checks.ts";
import { FAULTS } from "./faults.ts";
import { scopes, watches } from "./scopes.ts";
import { seed } from "./seed.ts";

export const definition = defineSystem(
  "pfa-vanguard",
  {
    title: "PFA Vanguard",
    // The worker stops first: rows that it pushes to PEMS cannot be reverted.
    services: {
      worker: kitProgram({ kind: "worker", database: "pfa", secrets: { PEMS_TOKEN: "pems-token" } }),
      backend: kitProgram({ database: "pfa", secrets: { JWT_SECRET: "jwt", TEST_USER_PASSWORD: TEST_USER_SECRET } }),
      frontend: { run: site() },
    },
    listeners: {
      backend: { service: "backend", readOnlyAllow: READ_ONLY },
      frontend: { service: "frontend", routes: { "/api": "backend" }, readOnlyAllow: READ_ONLY },
    },
    secrets: generated([TEST_USER_SECRET, "jwt", "pems-token"]),
    databases: {
      pfa: postgres({
        migrations: "migrations",
        ledger: "prisma",
        tables: ["users", "pfa_records", "pfa_modification", ...SYNC_TABLES],
        principalTable: "pfa_records",
      }),
    },
    // Fault switches of drills are not the system's flags.
    flags: {
      database: "pfa",
      readSql: "SELECT flag_name AS name, enabled FROM feature_flags WHERE flag_name NOT LIKE 'fault:%' ORDER BY flag_name",
      writeSql:
        "INSERT INTO feature_flags (flag_name, enabled) VALUES ($1, $2) ON CONFLICT (flag_name) DO UPDATE SET enabled = excluded.enabled WHERE feature_flags.enabled <> excluded.enabled",
      requiresTable: "feature_flags",
    },
    effects: [
      {
        service: "worker",
        title: "rows already pushed to the PEMS API",
        database: "pfa",
        countSql: "SELECT count(*)::int AS rows FROM pfa_write_queue WHERE status = 'pushed' AND pushed_at >= $1",
        requiresTable: "pfa_write_queue",
      },
    ],
    scopes,
    checks: CHECKS,
    watches,
    actions: {
      [DROP_SYNC_TABLES]: {
        title: "Drop the queue and the conflicts that the older release leaves unused",
        why: "The older release ignores both tables; until the rollback has proved good, their rows are needed to go forward again",
        after: ["quick", "full"],
        watches: ["quick", "stable"],
        database: "pfa",
        migration: SYNC_MIGRATION,
        // The conflicts refer to the queue.
        keeps: [...SYNC_TABLES].reverse(),
        work: "drop",
      },
    },
    readProbe: probeOf(login, (access, token) => list(access, token, { limit: "20" })),
    maintenanceMessage: "Emergency maintenance in progress",
    drill: {
      from: "v4.0.0",
      to: "v3.0.0",
      faults: FAULTS,
      seed,
      witness: kitWitness({
        service: "backend",
        username: TEST_USER,
        secret: TEST_USER_SECRET,
        path: "/api/pfa-data",
        more: { organizationId: ORGANIZATION, category: "Equipment" },
        table: "pfa_records",
        key: "pfa_id",
        value: "description",
      }),
      standIns: {
        pems: { entry: "stand-ins/pems.ts", urlKey: "PEMS_URL", environment: ({ secret }) => ({ PEMS_TOKEN: secret("pems-token") }) },
      },
    },
  },
  import.meta.dirname,
);
