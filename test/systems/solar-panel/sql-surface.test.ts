/** The SQL a person uses in an emergency, under the manual's names and columns, on a real server. */
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withFileChecks } from "../../../config/checks/load.ts";
import type { CheckContext } from "../../../config/system/check.ts";
import { applyMigration, rollBackMigration } from "../../../databases/postgres/migrations.ts";
import { CONSTRAINTS } from "../../../systems/solar-panel/constraints.ts";
import { definition as solarPanel } from "../../../systems/solar-panel/definition.ts";
import { LEVELS } from "../../../systems/solar-panel/scopes.ts";
import { accessTo } from "../../support/access.ts";
import { makeSolarStand, MIGRATIONS, type SolarStand } from "./stand.ts";

let stand: SolarStand;
let client: pg.Client;
let number = 0;
beforeAll(async () => {
  stand = await makeSolarStand();
  const base = await stand.database("base");
  await solarPanel.drill.seed(accessTo(base), 100);
  await base.query("ALTER TABLE pallets VALIDATE CONSTRAINT pallet_capacity");
  await base.end();
});
afterAll(() => stand.remove());
beforeEach(async () => {
  client = await stand.copy(`surface_${++number}`, "base");
});

type Row = Record<string, unknown>;
const query = async (sql: string, values: unknown[] = []): Promise<Row[]> => (await client.query<Row>(sql, values)).rows;
const column = async (sql: string): Promise<unknown[]> => (await query(sql)).map((row) => Object.values(row)[0]);
const present = async (): Promise<unknown[]> =>
  column(
    `SELECT conname FROM pg_constraint WHERE conname = ANY ('{${Object.keys(CONSTRAINTS).join(",")}}') ORDER BY array_position('{${Object.keys(CONSTRAINTS).join(",")}}'::text[], conname::text)`,
  );

/** A row that breaks the rule of each constraint and no other. */
const VIOLATING: Record<string, string> = {
  workflow_progression: panel("status", "'IN_PROGRESS'"),
  station_progression: panel("current_station", "3"),
  barcode_format: panel("barcode", "'no barcode'"),
  electrical_data: panel("pmax", "400"),
  panel_type_line: panel("line", "'LINE_1'"),
  pallet_capacity: "INSERT INTO pallets (pallet_number, capacity, panel_count) VALUES ('BAD', 25, 26)",
  mo_completion:
    "INSERT INTO manufacturing_orders (order_number, panel_type, target_quantity, status) VALUES ('BAD', '144', 5, 'COMPLETED')",
  email_format: "INSERT INTO users (username, email) VALUES ('bad', 'nobody')",
  station_number: "INSERT INTO stations (line, number, title) VALUES ('LINE_1', 12, 'nowhere')",
};

function panel(field: string, value: string): string {
  const values: Record<string, string> = {
    serial_number: "'BAD'",
    barcode: "'SP25-144-99999999'",
    panel_type: "'144'",
    line: "'LINE_2'",
    [field]: value,
  };
  return `INSERT INTO panels (${Object.keys(values).join(", ")}) VALUES (${Object.values(values).join(", ")})`;
}

describe("every object of the manual is there, under its name and with its columns", () => {
  test.each<[string, string[]]>([
    ["rollback_config", ["constraint_name", "table_name", "rollback_priority", "risk_level", "estimated_duration_ms"]],
    ["rollback_test_results", ["test_name", "test_type", "constraint_name", "table_name", "test_result", "notes"]],
    ["constraint_health_overview", ["overall_status"]],
    ["constraint_performance_summary", ["performance_impact"]],
    ["get_constraint_violations()", ["table_name", "severity"]],
    ["get_system_health_status()", ["service", "status"]],
    ["run_constraint_health_check()", ["check_name", "status"]],
    ["analyze_constraint_performance(24)", ["constraint_name", "performance_impact"]],
    ["test_system_functionality('panels')", ["test_result"]],
    ["test_data_integrity('manufacturing_orders')", ["test_result"]],
    ["emergency_rollback_critical_constraints()", ["constraint_name", "table_name", "rollback_status", "duration_ms"]],
  ])("%s", async (object, columns) => {
    const { fields } = await client.query(`SELECT * FROM ${object}`);
    expect(fields.map(({ name }) => name)).toEqual(expect.arrayContaining(columns));
  });

  test("migrations down and up again give the same objects", async () => {
    const shape = (): Promise<unknown[]> =>
      column(
        `SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
         UNION ALL SELECT c.relkind::text || ' ' || c.relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_prisma%'
         UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`,
      );
    const before = await shape();
    for (const migration of [...MIGRATIONS].reverse()) await rollBackMigration(client, migration, { owner: "owner" });
    expect((await shape()).filter((line) => !String(line).includes("_prisma"))).toEqual([]);
    for (const migration of MIGRATIONS) await applyMigration(client, migration, { owner: "owner" });
    expect(await shape()).toEqual(before);
  });
});

describe("the emergency function", () => {
  test("called twice drops nothing twice: the second call answers with the saved results of the first", async () => {
    const first = await query("SELECT * FROM emergency_rollback_critical_constraints()");
    expect(first.map(({ constraint_name, rollback_status }) => [constraint_name, rollback_status])).toEqual([
      ["workflow_progression", "PASS"],
      ["station_progression", "PASS"],
    ]);
    const recorded = await query("SELECT * FROM rollback_test_results ORDER BY id");
    expect(recorded).toHaveLength(2);
    // As the manual prints its verification.
    const second = await query(
      "SELECT constraint_name, table_name, rollback_status, duration_ms FROM emergency_rollback_critical_constraints() WHERE rollback_status = 'PASS'",
    );
    expect(second).toEqual(first);
    expect(await query("SELECT * FROM rollback_test_results ORDER BY id")).toEqual(recorded);
    expect(await present()).toEqual(Object.keys(CONSTRAINTS).slice(2));
  });

  test("its set is rollback_priority = 1, which is the declared critical level", async () => {
    const critical = await column(
      "SELECT constraint_name FROM rollback_config WHERE rollback_priority = 1 ORDER BY severity_rank(risk_level) DESC, drop_order",
    );
    expect(critical).toEqual(LEVELS.critical);
    const config = await query("SELECT constraint_name, table_name, risk_level, rollback_priority FROM rollback_config ORDER BY 1");
    expect(config).toEqual(
      Object.entries(CONSTRAINTS)
        .map(([constraint_name, { table, risk, priority }]) => ({
          constraint_name,
          table_name: table,
          risk_level: risk,
          rollback_priority: priority,
        }))
        .sort((a, b) => (a.constraint_name < b.constraint_name ? -1 : 1)),
    );
  });

  test("a drop that fails says FAIL, is on record, and leaves the others to be dropped", async () => {
    await client.query("ALTER TABLE panels RENAME CONSTRAINT workflow_progression TO other");
    await client.query("CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$");
    await client.query("CREATE EVENT TRIGGER no ON ddl_command_start WHEN TAG IN ('DROP TRIGGER') EXECUTE FUNCTION no()");
    expect(await query("SELECT constraint_name, rollback_status FROM emergency_rollback_critical_constraints()")).toEqual([
      { constraint_name: "workflow_progression", rollback_status: "PASS" },
      { constraint_name: "station_progression", rollback_status: "FAIL" },
    ]);
    expect(await query("SELECT test_result, notes FROM rollback_test_results")).toEqual([{ test_result: "FAIL", notes: "not today" }]);
    expect(await column("SELECT constraint_name FROM constraint_recovery_plan")).toEqual([]);
  });
});

describe("one constraint", () => {
  test.each(Object.keys(CONSTRAINTS))(
    "%s: violating insert rejected, accepted after the drop, rejected again after recovery",
    async (name) => {
      const { table } = CONSTRAINTS[name]!;
      const violating = VIOLATING[name]!;
      await expect(client.query(violating)).rejects.toMatchObject({ code: "23514", constraint: name });
      const call = async (how: string): Promise<Row> => (await query(`SELECT * FROM ${how}`, [name, table]))[0]!;
      expect(await call("rollback_constraint($1, $2, 'DROP_CONSTRAINT')")).toMatchObject({ rollback_status: "PASS", message: "dropped" });
      expect(await call("rollback_constraint($1, $2, 'DROP_CONSTRAINT')")).toMatchObject({
        rollback_status: "PASS",
        message: "already dropped",
      });
      expect(await present()).not.toContain(name);
      expect(await query("SELECT constraint_name, table_name, test_result FROM rollback_test_results")).toEqual([
        { constraint_name: name, table_name: table, test_result: "PASS" },
      ]);
      await client.query(violating);
      expect(await query("SELECT table_name, constraint_name FROM get_constraint_violations()")).toEqual([
        { table_name: table, constraint_name: name },
      ]);
      // What cannot be brought back leaves everything as it was.
      expect(await call("recover_constraint($1, $2)")).toMatchObject({
        recovery_status: "FAIL",
        message: expect.stringContaining("1 rows") as string,
      });
      expect(await present()).not.toContain(name);
      await client.query(
        `DELETE FROM ${table} WHERE 'BAD' IN (${table === "panels" ? "serial_number" : table === "pallets" ? "pallet_number" : table === "manufacturing_orders" ? "order_number" : "'BAD'"}) AND id = (SELECT max(id) FROM ${table})`,
      );
      expect(await call("recover_constraint($1, $2)")).toMatchObject({ recovery_status: "PASS", message: "recovered" });
      expect(await call("recover_constraint($1, $2)")).toMatchObject({ recovery_status: "PASS", message: "already there" });
      await expect(client.query(violating)).rejects.toMatchObject({ code: "23514", constraint: name });
      expect(await present()).toEqual(Object.keys(CONSTRAINTS));
    },
  );

  test("an unknown one and an unknown action are refused", async () => {
    await expect(query("SELECT * FROM rollback_constraint('barcode', 'panels', 'DROP_CONSTRAINT')")).rejects.toThrow(
      /not in rollback_config/,
    );
    await expect(query("SELECT * FROM rollback_constraint('barcode_format', 'users', 'DROP_CONSTRAINT')")).rejects.toThrow(
      /not in rollback_config/,
    );
    await expect(query("SELECT * FROM rollback_constraint('barcode_format', 'panels', 'TRUNCATE')")).rejects.toThrow(/action TRUNCATE/);
    await expect(query("SELECT * FROM recover_constraint('email', 'users')")).rejects.toThrow(/not in rollback_config/);
    await expect(query("SELECT * FROM test_data_integrity('nothing')")).rejects.toThrow(/no table nothing/);
  });
});

describe("looking", () => {
  test("risk and severity are ranked as levels, never sorted as text", async () => {
    expect(await column("SELECT l FROM unnest('{HIGH,LOW,CRITICAL,MEDIUM}'::text[]) l ORDER BY severity_rank(l) DESC")).toEqual([
      "CRITICAL",
      "HIGH",
      "MEDIUM",
      "LOW",
    ]);
    for (const name of ["workflow_progression", "electrical_data", "email_format"])
      await query("SELECT * FROM rollback_constraint($1, $2, 'DROP_CONSTRAINT')", [name, CONSTRAINTS[name]!.table]);
    await client.query(VIOLATING["workflow_progression"]!);
    await client.query(panel("pmax", "400").replace("'BAD'", "'BAD-2'"));
    await client.query(panel("pmax", "401").replace("'BAD'", "'BAD-3'"));
    await client.query(VIOLATING["email_format"]!);
    // As text MEDIUM would be the highest, and CRITICAL the lowest of all.
    expect(await query("SELECT table_name, violation_count::int, highest_severity FROM constraint_violation_summary")).toEqual([
      { table_name: "panels", violation_count: 3, highest_severity: "CRITICAL" },
      { table_name: "users", violation_count: 1, highest_severity: "LOW" },
    ]);
    expect(await column("SELECT constraint_name FROM constraint_recovery_plan")).toEqual([
      "email_format",
      "electrical_data",
      "workflow_progression",
    ]);
  });

  test("health: dropped on record is no alarm, dropped by hand is; unvalidated warns; a disabled trigger is critical", async () => {
    const status = async (): Promise<Record<string, unknown>> =>
      Object.fromEntries<unknown>(
        (await query("SELECT constraint_name, overall_status FROM constraint_health_overview")).map((row) => [
          String(row["constraint_name"]),
          row["overall_status"],
        ]),
      );
    expect(new Set(Object.values(await status()))).toEqual(new Set(["🟢 HEALTHY"]));
    await query("SELECT * FROM rollback_constraint('email_format', 'users', 'DROP_CONSTRAINT')");
    await client.query("ALTER TABLE stations DROP CONSTRAINT station_number");
    await client.query("ALTER TABLE panels DISABLE TRIGGER station_progression");
    await client.query(
      "ALTER TABLE pallets DROP CONSTRAINT pallet_capacity, ADD CONSTRAINT pallet_capacity CHECK (panel_count BETWEEN 0 AND capacity) NOT VALID",
    );
    expect(await status()).toMatchObject({
      email_format: "⚪ DROPPED",
      station_number: "🔴 CRITICAL",
      station_progression: "🔴 CRITICAL",
      pallet_capacity: "🟡 WARNING",
    });
    expect(await query("SELECT service, status FROM get_system_health_status() WHERE status <> '🟢 HEALTHY'")).toEqual([
      { service: "constraints", status: "🔴 CRITICAL" },
      { service: "triggers", status: "🔴 CRITICAL" },
    ]);
    expect(await column("SELECT constraint_name FROM run_constraint_health_check() WHERE status = 'FAIL' ORDER BY 1")).toEqual([
      "pallet_capacity",
      "station_number",
      "station_progression",
    ]);
  });

  test("checks that pass show what they measured", async () => {
    const shown = async (id: string): Promise<string> => {
      const { status, detail } = await withFileChecks(solarPanel)
        .checks.find((check) => check.id === id)!
        .run(accessTo(client) as unknown as CheckContext);
      return `${status}: ${detail}`;
    };
    expect(await shown("effectiveness")).toMatch(/^passed: 100\.00 % of \d+ rows comply$/);
    expect(await shown("functionality")).toMatch(/^passed: \d+ tests passed$/);
    expect(await shown("integrity")).toMatch(/^passed: \d+ tests passed$/);
    expect(await shown("drops-recorded")).toBe("passed: nothing is dropped");
    await query("SELECT * FROM rollback_constraint('barcode_format', 'panels', 'DROP_CONSTRAINT')");
    expect(await shown("integrity")).toMatch(/^passed: \d+ tests passed; panels: .*: the rule is dropped$/);
    expect(await shown("drops-recorded")).toBe("passed: panels.barcode_format: lowest risk first");
  });

  test("integrity and functionality see orphans, used-up numbers and disabled triggers; a dropped rule is told of and skipped", async () => {
    const results = async (call: string): Promise<unknown[]> =>
      column(`SELECT test_name FROM ${call} WHERE test_result = 'FAIL' ORDER BY 1`);
    expect(await results("test_data_integrity('inspections')")).toEqual([]);
    expect(await results("test_system_functionality('panels')")).toEqual([]);
    await client.query("SET session_replication_role = replica");
    await client.query("INSERT INTO inspections (panel_id, station, result) VALUES (999999, 1, 'PASS')");
    await client.query("RESET session_replication_role");
    await client.query("SELECT setval(pg_get_serial_sequence('panels', 'id'), 3)");
    await client.query("ALTER TABLE panels DISABLE TRIGGER panels_on_pallet");
    expect(await results("test_data_integrity('inspections')")).toEqual(["no orphans by inspections_panel_id_fkey"]);
    expect(await results("test_system_functionality('panels')")).toEqual(["next number is free", "triggers enabled"]);
    await query("SELECT * FROM rollback_constraint('email_format', 'users', 'DROP_CONSTRAINT')");
    await client.query(VIOLATING["email_format"]!);
    expect(await query("SELECT test_result, detail FROM test_data_integrity('users')")).toEqual([
      { test_result: "SKIPPED", detail: "the rule is dropped" },
    ]);
  });
});
