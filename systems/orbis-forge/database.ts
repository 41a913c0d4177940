/** The database file: its migrations, tables and repairs in place. */
import type { DatabaseDefinition } from "../../config/system/definition.ts";
import { jsonImport } from "./repairs/json-import.ts";
import { transactionRevert } from "./repairs/transaction.ts";

const INITIAL_MIGRATION = "20250210000001_initial";
export const PHASE3_MIGRATION = "20250720000002_phase3_live_database";

/** Compared with the snapshot from before the deployment; `governance_logs` is counted, not compared. */
export const COMPARED_TABLES = ["projects", "phases", "step_progress"];
export const COUNTED_TABLES = [...COMPARED_TABLES, "governance_logs"];

export const production: DatabaseDefinition = {
  engine: "sqlite",
  migrations: [INITIAL_MIGRATION, PHASE3_MIGRATION].map((name) => ({ name, path: `migrations/${name}` })),
  ledger: "backout",
  tables: ["user_permissions", ...COMPARED_TABLES, "governance_logs", "change_history"],
  principalTable: "projects",
  appendOnly: ["governance_logs", "change_history"],
  repairs: { transaction: transactionRevert, "json-import": jsonImport },
};

/** Columns that v2.4.0 needs. */
export const NEEDED_COLUMNS: Record<string, string[]> = {
  user_permissions: ["user_id", "role", "access_level", "original_access_level"],
  projects: ["id", "code", "name", "status", "updated_at"],
  phases: ["id", "project_id", "name", "position", "updated_at"],
  step_progress: ["id", "phase_id", "step", "percent", "updated_at"],
  governance_logs: [
    "id",
    "timestamp",
    "event_type",
    "user_id",
    "user_role",
    "resource_type",
    "resource_id",
    "action",
    "success",
    "details",
    "runtime_context",
  ],
  change_history: ["id", "governance_log_id", "changed_at", "transaction_id"],
};
