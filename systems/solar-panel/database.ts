/** The database: its migrations and the tables that hold the line's rows, parents before children. */
import type { DatabaseDefinition } from "../../config/system/definition.ts";

export const DATABASE = "solar";

const MIGRATIONS = ["20240601000001_production_line", "20250127000002_constraint_rollback", "20250310000003_progression_rules"];

export const solarDatabase: DatabaseDefinition = {
  engine: "postgres",
  migrations: MIGRATIONS.map((name) => ({ name, path: `migrations/${name}` })),
  ledger: "prisma",
  tables: ["users", "stations", "manufacturing_orders", "pallets", "panels", "inspections"],
  principalTable: "panels",
  appendOnly: ["rollback_test_results"],
};
