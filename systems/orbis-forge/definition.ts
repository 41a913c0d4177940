/** OrbisForge (OF-BEV Phase 3): one program on one SQLite file, with restricted permissions and evidence during a rollback. */
import { defineSystem, sqlite } from "../../components/define.ts";
import { generated } from "../../config/system/secret.ts";
import { burstOf } from "../kit/client.ts";
import { kitProgram, kitWitness, probeOf } from "../kit/described.ts";
import { ADMIN, burst, DATABASE, EMERGENCY_SECRET, login, PASSWORDS, rows, TEST_USER } from "./api.ts";
import { auditEntry } from "./audit-entry.ts";
import { CHECKS, PERMISSIONS } from "./checks.ts";
import { evidence } from "./evidence.ts";
import { FAULTS } from "./faults.ts";
import { jsonImport } from "./repairs/json-import.ts";
import { transactionRevert } from "./repairs/transaction.ts";
import { MAINTENANCE, scopes, watches } from "./scopes.ts";
import { seed } from "./seed.ts";

/** The restriction spares the emergency administrator; its reversal changes only rows with a saved original. */
const RESTRICTED = "role <> 'superuser' AND role <> 'emergency_admin'";
const SECRETS = {
  ...{ JWT_SECRET: "jwt", EMERGENCY_KEY: EMERGENCY_SECRET },
  ...{ ADMIN_PASSWORD: PASSWORDS[ADMIN], TEST_USER_PASSWORD: PASSWORDS[TEST_USER] },
};
const LIST = "/api/projects?limit=20";

export const definition = defineSystem(
  "orbis-forge",
  {
    title: "OrbisForge administration (OF-BEV)",
    services: {
      app: kitProgram({ database: DATABASE, secrets: SECRETS }),
    },
    secrets: generated(Object.values(SECRETS)),
    databases: {
      [DATABASE]: sqlite({
        migrations: "migrations",
        ledger: "backout",
        tables: ["user_permissions", "projects", "phases", "step_progress", "governance_logs", "change_history"],
        principalTable: "projects",
        appendOnly: ["governance_logs", "change_history"],
        repairs: { transaction: transactionRevert, "json-import": jsonImport },
      }),
    },
    scopes,
    checks: CHECKS,
    watches,
    readProbe: probeOf(login, (access, token) => rows(access, token, LIST)),
    // All users except superusers and the emergency administrator are read-only while users are kept out.
    protections: [
      {
        id: PERMISSIONS,
        title: "user_permissions are read_only except for superusers and emergency_admin",
        database: DATABASE,
        requiresTable: "user_permissions",
        readSql: `SELECT id AS key, access_level AS value FROM user_permissions WHERE ${RESTRICTED} ORDER BY id`,
        // With only the file, a person can restore everything from the column beside it.
        restrictSql: `UPDATE user_permissions SET original_access_level = coalesce(original_access_level, access_level), access_level = 'read_only'
      WHERE ${RESTRICTED} AND (access_level <> 'read_only' OR original_access_level IS NULL)`,
        giveBackSql:
          "UPDATE user_permissions SET access_level = $2, original_access_level = NULL WHERE id = $1 AND access_level = 'read_only' AND original_access_level IS NOT NULL",
      },
    ],
    evidence,
    auditEntry,
    // Measured to service restoration, since completion as such is declared two stable hours later.
    completion: {
      targets: [
        { metric: "rollbackSeconds", title: "Rollback Duration", below: 2 * 3600, unit: "s" },
        { metric: "rowsLost", title: "Data Loss", atMost: 0, unit: "rows" },
        { metric: "availableShare", title: "Service Availability", above: 0.99, unit: "share" },
        { metric: "errorShare", title: "Error Rate", below: 0.001, unit: "share" },
      ],
      measure: async (context) => {
        const token = await login(context);
        const polls = await burstOf(context, { service: "app", path: "/health", token, strictly: true }, { count: 20, width: 1 });
        const { requests, errors } = await burst(context, token, LIST, 100, 4);
        return { availableShare: 1 - polls.errors / polls.requests, errorShare: errors / requests };
      },
    },
    maintenanceMessage: MAINTENANCE,
    retryAfterSeconds: 30 * 60,
    drill: {
      from: "phase-3.0.0",
      to: "v2.4.0",
      faults: FAULTS,
      seed,
      witness: kitWitness({
        service: "app",
        username: TEST_USER,
        secret: PASSWORDS[TEST_USER],
        path: "/api/projects",
        table: "projects",
        key: "code",
        value: "name",
      }),
    },
  },
  import.meta.dirname,
);
