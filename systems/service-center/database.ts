/** The database: its migrations, the tables that hold users' rows, and what belongs to which release. */
import type { DatabaseDefinition } from "../../config/system/definition.ts";

export const DATABASE = "service_center";
export const PHASE_1_TABLES = ["service_tickets", "customers", "products", "parts"];
export const PHASE_2_TABLES = ["task_templates", "service_ticket_tasks"];

const MIGRATIONS = [
  "20250601000001_phase_1_core",
  "20250701000002_ticket_summary",
  "20251020000003_task_templates",
  "20251020000004_service_ticket_tasks",
  "20251020000005_task_summary",
];

export const serviceCenterDatabase: DatabaseDefinition = {
  engine: "postgres",
  migrations: MIGRATIONS.map((name) => ({ name, path: `migrations/${name}` })),
  ledger: "supabase",
  tables: ["customers", "products", "parts", "service_tickets", ...PHASE_2_TABLES],
  principalTable: "service_tickets",
  newerSchema: "breaks",
  refreshViews: true,
};
