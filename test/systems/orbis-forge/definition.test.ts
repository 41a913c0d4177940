/** Faults and their repairs; the governance entry; the migrations up and down. */
import { describe, expect, test } from "vitest";
import { writeAuditRow } from "../../../rollout/audit-entry.ts";
import { auditEntry, contextOf, dataLossOf, detailsOf, methodOf } from "../../../systems/orbis-forge/audit-entry.ts";
import { definition as orbisForge } from "../../../systems/orbis-forge/definition.ts";
import { memory } from "../../rollout/memory.ts";
import { migrationsOf, NEW, OLD, runFacts } from "./stand.ts";

const { scopes } = orbisForge;

describe("definition", () => {
  test("a repair finds its own arguments, and every way back has its fault", () => {
    for (const [name, fault] of Object.entries(orbisForge.drill.faults)) {
      const data = scopes[fault.scope]?.pins.data;
      expect(data, name).toBeDefined();
      expect(typeof data === "object", name).toBe(fault.repairWith !== undefined);
    }
    expect(new Set(Object.values(orbisForge.drill.faults).map(({ scope }) => scope))).toEqual(
      new Set(["full", "selective", "transaction", "json-import", "application"]),
    );
  });

  test("the newer schema comes and goes, and goes back to what it was", () => {
    const shape = (file: ReturnType<typeof memory>) =>
      file.database.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").all();
    const [old, newer] = [memory(migrationsOf(OLD).join("\n")), memory(migrationsOf(NEW).join("\n"))];
    expect(shape(newer)).not.toEqual(shape(old));
    newer.database.exec(migrationsOf(NEW, "down.sql")[1]!);
    expect(shape(newer).map((row) => String(row["sql"]).replaceAll(/\s+/g, " "))).toEqual(
      shape(old).map((row) => String(row["sql"]).replaceAll(/\s+/g, " ")),
    );
    newer.database.exec(migrationsOf(NEW, "down.sql")[0]!);
    expect(shape(newer)).toEqual([]);
  });
});

describe("the governance entry", () => {
  test("has the fields of the plan, with quotes and all, as a row of the restored data", async () => {
    const { session } = memory(migrationsOf(OLD).join("\n"));
    const facts = runFacts();
    expect(await writeAuditRow(session, auditEntry, auditEntry.entry(facts))).toBe(true);
    expect(await writeAuditRow(session, auditEntry, auditEntry.entry(facts))).toBe(false);
    const [row] = await session.all<Record<string, string>>("SELECT * FROM governance_logs WHERE event_type = 'emergency_rollback'");
    expect(row).toMatchObject({
      user_id: "emergency_admin",
      user_role: "incident_commander",
      resource_type: "production_deployment",
      resource_id: "of-bev-phase-3",
      action: "rollback_deployment",
      success: 1,
    });
    expect(JSON.parse(row!["details"]!)).toMatchObject({
      operation: "OF-BEV Phase 3 Emergency Rollback",
      rollback_reason: `INCIDENT-7: it's "broken"`,
      rollback_method: "full_database_restore",
      database_restoration: {
        backup_used: "before-phase-3.0.0@1",
        restoration_timestamp: "2026-01-01T12:01:00.000Z",
        data_loss_period: "2026-01-01T10:00:00.000Z to 2026-01-01T12:00:00.000Z",
        integrity_verified: true,
      },
      application_rollback: { from_version: NEW, to_version: OLD, rollback_duration_minutes: 3, verification_status: "success" },
      business_impact: { downtime_minutes: 3, affected_users: "12", data_loss: "minimal", service_restoration: "complete" },
    });
    expect(JSON.parse(row!["runtime_context"]!)).toEqual({
      phase: "OF-BEV-Phase-3-Emergency-Rollback",
      environment: "production",
      incident_commander: "the commander on duty",
      rollback_team: ["operator", "administrator"],
      memoryplugin_anchor: facts.anchor,
    });
  });

  test("says of a failed run that it failed, and where", () => {
    const failed = runFacts({ success: false, openedAt: null, failure: "verify: 13 checks" });
    expect(auditEntry.entry(failed)["success"]).toBe(false);
    expect(detailsOf(failed)).toMatchObject({
      failed_step: "verify: 13 checks",
      application_rollback: { verification_status: "failed", rollback_duration_minutes: null },
      business_impact: { service_restoration: "pending" },
    });
    expect(contextOf(runFacts({ incident: {} }))).toMatchObject({ incident_commander: null, rollback_team: [] });
  });

  test.each([
    ["restore", "before-phase-3.0.0@1", "full_database_restore"],
    ["repair", "rows from before-phase-3.0.0@1", "selective_rollback"],
    ["repair", "transaction", "transaction_rollback"],
    ["repair", "json-import", "json_import_restore"],
    ["none", null, "application_rollback"],
  ] as const)("a rollback by %s %s is told as one", (action, from, method) => {
    expect(methodOf(runFacts({ data: { production: { ...runFacts().data["production"]!, action, from } } }))).toBe(method);
  });

  test("a loss is none, minimal or significant", () => {
    expect([0, 1, 100, 101].map(dataLossOf)).toEqual(["none", "minimal", "minimal", "significant"]);
  });
});
