import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PHASES } from "../../../config/phases.ts";
import { ordered } from "../../../config/make-plan.ts";
import { editPins, rawConfig } from "../../../config/edit.ts";
import { parseConfig } from "../../../config/parse.ts";
import type { Pins } from "../../../config/pins.ts";
import { resolvePins } from "../../../config/resolve-pins.ts";
import { deployEdits, scopeEdits } from "../../../config/scope.ts";
import { hashFolder } from "../../../processes/artefact.ts";
import { recordedScope } from "../../../config/recorded-scope.ts";
import { radiationHealth } from "../../../systems/radiation-health/definition.ts";
import { policy } from "../../../systems/radiation-health/policy.ts";

const { scopes, checks, services, databases, drill } = radiationHealth;
const PROJECT = join(import.meta.dirname, "../../..");
const STACK = readFileSync(join(PROJECT, "stacks/Pulumi.radiation-health.yaml"), "utf8");
const newer = editPins(STACK, deployEdits(radiationHealth, "v1.9.0"));
const pinsOf = (text: string): Pins => resolvePins(parseConfig(rawConfig(text)), radiationHealth);

describe("scopes", () => {
  test("each has the time of its class, and phases that fit into it", () => {
    const minutes = Object.fromEntries(Object.entries(scopes).map(([name, scope]) => [name, scope.budgetSeconds / 60]));
    expect(minutes).toEqual({
      emergency: 5,
      database: 5,
      schema: 60,
      application: 15,
      service: 15,
      "service-release": 15,
      "environment-config": 15,
      "database-config": 15,
      "monitoring-config": 60,
    });
    for (const { phaseBudgets, budgetSeconds } of Object.values(scopes)) {
      expect(Object.keys(phaseBudgets).filter((phase) => !(PHASES as readonly string[]).includes(phase))).toEqual([]);
      expect(Object.values(phaseBudgets).reduce((sum, seconds) => sum + seconds, 0)).toBeLessThanOrEqual(budgetSeconds);
    }
  });

  test("each is known by the pins it writes, and starts exactly the services it names anew", () => {
    const overridden = editPins(newer, [
      { path: ["services", "radiation-monitoring", "config", "DB_POOL_MAX"], value: "1" },
      { path: ["services", "anomaly-detection-service", "config", "MUTED_DEVICES"], value: "DEV-001" },
    ]);
    const restarted: Record<string, string[]> = {};
    for (const [scope, { pins }] of Object.entries(scopes)) {
      const service = pins.service === undefined ? {} : { service: "websocket-service" };
      const target = { scope, to: "v1.8.0", snapshots: { radiation_health: "before-v1.9.0@1" }, block: null, ...service };
      const text = editPins(overridden, scopeEdits(radiationHealth, target));
      const [after, declared] = [pinsOf(text), parseConfig(rawConfig(text)).scope!];
      const question = { definition: radiationHealth, scope: declared, from: pinsOf(overridden), to: after, unfinished: false };
      expect(recordedScope({ ...question, order: ["v1.8.0", "v1.9.0"] })).toEqual({ scope, ...service });
      restarted[scope] = Object.entries(after.services).flatMap(([name, { restart }]) => (restart === undefined ? [] : [name]));
    }
    expect(restarted).toEqual({
      ...Object.fromEntries(["emergency", "database", "schema", "application", "service-release"].map((name) => [name, []])),
      service: ["websocket-service"],
      "environment-config": Object.keys(services),
      "database-config": ["radiation-monitoring"],
      "monitoring-config": ["data-retention-service", "anomaly-detection-service"],
    });
  });

  test("all five services write to the database, so all of them are stopped before it is touched, in a declared order", () => {
    expect(Object.values(services).every((service) => service.databases.length === 1)).toBe(true);
    expect(ordered(radiationHealth)).toEqual(radiationHealth.stopOrder);
    expect([...radiationHealth.stopOrder].sort()).toEqual(Object.keys(services).sort());
    expect(Object.keys(services).sort()).toEqual([
      "anomaly-detection-service",
      "csv-polling-service",
      "data-retention-service",
      "radiation-monitoring",
      "websocket-service",
    ]);
  });

  test("every scope verifies everything; what counts comes before what writes, and logs are read after both", () => {
    const ids = checks.map(({ id }) => id);
    for (const scope of Object.values(scopes)) expect(scope.checks).toEqual(ids);
    expect(ids.indexOf("count")).toBeLessThan(ids.indexOf("alert-chain"));
    expect(ids.indexOf("alert-chain")).toBeLessThan(ids.indexOf("error-log"));
    expect(ids.at(-1)).toBe("no-failed-service");
    const watched = radiationHealth.watches!["stability"]!.checks;
    expect(checks.filter(({ id, writes }) => watched.includes(id) && writes === true)).toEqual([]);
    expect(watched).toEqual(expect.arrayContaining(["all-online", "no-silent-alerts"]));
    expect(watched.filter((id) => !ids.includes(id))).toEqual([]);
    expect(radiationHealth.watches!["stability"]!.durationMinutes).toBe(120);
  });
});

describe("the ledger", () => {
  const config = parseConfig(rawConfig(STACK));

  test("has the exact build and configuration of every service, and a tag that is recorded, not made up", async () => {
    for (const release of [drill.to, drill.from]) {
      const entry = config.releases[release]!;
      expect(entry.tag).toMatch(/^pre-deployment-\d{8}-\d{4}$/);
      for (const name of Object.keys(services)) {
        const { path, sha256, config } = entry.services[name]!;
        expect(await hashFolder(join(PROJECT, path!)), `${release} ${name}`).toBe(sha256);
        expect(Object.keys(config ?? {})).toContain("MEMORY_LIMIT_MB");
      }
    }
  });

  test("the database is named as in the manual, with its tables", () => {
    expect(Object.keys(databases)).toEqual(["radiation_health"]);
    expect(databases["radiation_health"]!.tables).toEqual(expect.arrayContaining(["radiation_personnel", "dose_readings", "alerts"]));
  });
});

describe("policy", () => {
  const triggers = Object.entries(policy.classes).flatMap(([name, { triggers: all }]) =>
    all.map((trigger) => ({ class: name, ...trigger })),
  );

  test("classes: 5, 15 and 60 minutes; broken alerts are as severe as an outage; limits are those of the checks", () => {
    expect(Object.values(policy.classes).map(({ deadlineMinutes }) => deadlineMinutes)).toEqual([5, 15, 60]);
    for (const { scope, deadlineMinutes } of Object.values(policy.classes))
      expect(scopes[scope!]!.budgetSeconds).toBeLessThanOrEqual(deadlineMinutes! * 60);
    const of = (id: string) => triggers.find((trigger) => trigger.id === id)!;
    expect(of("alerts-broken")).toMatchObject({ class: of("system-down").class, severity: of("system-down").severity });
    expect(Object.fromEntries(triggers.flatMap(({ metric }) => (metric === undefined ? [] : [[metric.name, metric.above]])))).toEqual({
      medianMs: 500,
      errorShare: 0.05,
      memoryShare: 0.95,
    });
    expect(Object.values(policy.classes).map((each) => each.triggers.length)).toEqual([5, 5, 4]);
  });

  test("who decides: the manual's matrix, and the issues it leaves out configured", () => {
    const approvers = (key: string): string[] => policy.authorisations[key]!.approvers;
    expect(approvers("system-down")).toEqual(["System Administrator"]);
    expect(policy.authorisations["data-corruption"]).toMatchObject({
      approvers: ["Database Administrator", "System Administrator"],
      agree: "all",
    });
    expect(approvers("security")).toEqual(["Security Team"]);
    for (const key of ["performance", "error-rate"]) expect(approvers(key)).toEqual(["DevOps Engineer"]);
    for (const key of ["ui", "minor"]) expect(approvers(key)).toEqual(["Project Manager"]);
    for (const key of ["database-connection", "alerts-broken", "memory", "pool-exhaustion", "websocket", "monitoring"])
      expect(approvers(key).length, key).toBeGreaterThan(0);
    for (const { id, authorisation, scope } of triggers) {
      expect(Object.keys(policy.authorisations), id).toContain(authorisation);
      if (scope !== undefined) expect(Object.keys(scopes), id).toContain(scope);
    }
  });

  test("escalation, coverage, messages, records, rehearsals, reviews", () => {
    expect(policy.escalation.map(({ level, afterMinutes }) => [level, afterMinutes])).toEqual([
      [1, 0],
      [2, 15],
      [3, 30],
    ]);
    expect(policy.coverage?.map(({ when }) => when)).toEqual(["business hours", "after hours", "weekends"]);
    const sent = (when: string) => policy.notifications.filter((notification) => notification.when === when);
    expect(sent("start").map(({ channel }) => channel)).toEqual(["sms", "email", "status-page", "chat"]);
    expect(sent("start").find(({ channel }) => channel === "status-page")?.text).toBe("UNDERGOING ROLLBACK");
    expect(sent("progress")).toMatchObject([
      { everyMinutes: 15, fields: ["Rollback Progress", "System Status", "Next Steps", "Timeline"] },
    ]);
    expect(sent("done")[0]?.fields).toEqual(["Rollback Summary", "System Status", "Next Actions", "Lessons Learned"]);
    expect(sent("before-deployment")).toHaveLength(1);
    expect(Object.values(policy.records).map(({ withinHours }) => withinHours)).toEqual([2, 24, 48]);
    expect(policy.drills.map(({ everyDays, hoursBeforeDeployment }) => everyDays ?? hoursBeforeDeployment)).toEqual([30, 91, 24]);
    expect(policy.reviews).toMatchObject([{ everyDays: 30 }]);
    expect(Object.values(policy.checklists!).map((items) => items.length)).toEqual([5, 5, 5]);
    expect(radiationHealth.maintenanceMessage).toBe("UNDERGOING ROLLBACK");
  });

  test("before a deployment: backup, tag, configuration, trial rollback of the last 24 hours, notification", () => {
    expect(radiationHealth.deployment).toEqual({
      before: ["backup", "tag", "configuration", "trial-rollback", "notification"],
      trialWithinHours: 24,
    });
  });
});
