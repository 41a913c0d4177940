/**
 * The nine constraints, most urgent first. The manual's risk matrix names two without an identifier: Station Progression is
 * `station_progression` on panels, MO Completion is `mo_completion` on manufacturing_orders. Both look at other rows, so they are
 * constraint triggers. The risk of the three the matrix leaves out follows the level at which they are dropped.
 */
import type { ConstraintArgs } from "../../components/define.ts";
import type { ConstraintRecords } from "../../config/system/constraint.ts";
import { DATABASE } from "./api.ts";

export const CONSTRAINTS: Record<string, ConstraintArgs> = {
  workflow_progression: { title: "Workflow Progression", table: "panels", risk: "HIGH", priority: 1 },
  station_progression: {
    title: "Station Progression",
    table: "panels",
    kind: "trigger",
    risk: "HIGH",
    priority: 1,
    violates: "NOT stations_passed(r.id, r.current_station)",
  },
  barcode_format: { title: "Barcode Validation", table: "panels", risk: "MEDIUM", priority: 2 },
  electrical_data: { title: "Electrical Data", table: "panels", risk: "MEDIUM", priority: 2 },
  panel_type_line: { title: "Panel type and line", table: "panels", risk: "MEDIUM", priority: 3 },
  pallet_capacity: { title: "Pallet Capacity", table: "pallets", risk: "LOW", priority: 3 },
  mo_completion: {
    title: "MO Completion",
    table: "manufacturing_orders",
    kind: "trigger",
    risk: "MEDIUM",
    priority: 3,
    violates: "r.status = 'COMPLETED' AND NOT order_is_made(r.id, r.target_quantity)",
  },
  email_format: { title: "Email format", table: "users", risk: "LOW", priority: 4 },
  station_number: { title: "Station number", table: "stations", risk: "LOW", priority: 4 },
};

const LEVELS =
  "WHEN 'critical' THEN 'Critical' WHEN 'full' THEN 'Critical' WHEN 'high' THEN 'High' WHEN 'medium' THEN 'Medium' WHEN 'low' THEN 'Low'";

/** Every drop and every recovery is a row of rollback_test_results; one of the four levels bears the level's name. */
export const CONSTRAINT_RECORDS: ConstraintRecords = {
  database: DATABASE,
  requiresTable: "rollback_test_results",
  writeSql: `INSERT INTO rollback_test_results (test_name, test_type, constraint_name, table_name, test_result, notes, duration_ms)
    SELECT CASE WHEN $2::text = 'recover' THEN 'Constraint Recovery'
        ELSE coalesce('Emergency Rollback - ' || CASE $1::text ${LEVELS} END || ' Priority', 'Constraint Rollback') END,
      CASE WHEN $2 = 'recover' THEN 'RECOVERY' WHEN $1 IS NULL OR $1 = 'low' THEN 'PLANNED' ELSE 'EMERGENCY' END,
      $3::text, $4::text, $5::text,
      CASE WHEN $2 = 'drop' AND $1 IN ('critical', 'full', 'high', 'medium') THEN 'Emergency rollback executed due to system failure; ' ELSE '' END || $6::text,
      $7::int`,
  offeredSql: "SELECT constraint_name AS name, table_name AS table FROM constraint_recovery_plan",
  assessments: ["panels", "manufacturing_orders", "inspections"].map((table) => ({
    title: `test_data_integrity('${table}')`,
    sql: `SELECT test_name AS name, test_result AS result, detail FROM test_data_integrity('${table}')`,
  })),
};
