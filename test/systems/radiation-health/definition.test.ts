import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ordered } from "../../../config/make-plan.ts";
import { editPins, rawConfig } from "../../../config/edit.ts";
import { parseConfig } from "../../../config/parse.ts";
import type { Pins } from "../../../config/pins.ts";
import { resolvePins } from "../../../config/resolve-pins.ts";
import { deployEdits, scopeEdits } from "../../../config/scope.ts";
import { hashFolder } from "../../../processes/artefact.ts";
import { recordedScope } from "../../../config/recorded-scope.ts";
import { definition as radiationHealth } from "../../../systems/radiation-health/definition.ts";

const { scopes, checks, services, drill } = radiationHealth;
const PROJECT = join(import.meta.dirname, "../../..");
const STACK = readFileSync(join(PROJECT, "stacks/Pulumi.radiation-health.yaml"), "utf8");
const newer = editPins(STACK, deployEdits(radiationHealth, "v1.9.0"));
const pinsOf = (text: string): Pins => resolvePins(parseConfig(rawConfig(text)), radiationHealth);

describe("scopes", () => {
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
  });

  test("every scope verifies everything; what counts comes before what writes, and logs are read after both", () => {
    const ids = checks.map(({ id }) => id);
    for (const scope of Object.values(scopes)) expect(scope.checks).toEqual(ids);
    expect(ids.indexOf("count")).toBeLessThan(ids.indexOf("alert-chain"));
    expect(ids.indexOf("alert-chain")).toBeLessThan(ids.indexOf("error-log"));
    // Files of `verify/` load no service.
    expect(checks.filter((check) => !("file" in check)).at(-1)!.id).toBe("no-failed-service");
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
});
