import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { definition as radiationHealth } from "../../../systems/radiation-health/definition.ts";
import { login, PERSONNEL_PATH } from "../../../systems/radiation-health/api.ts";
import { seed } from "../../../systems/radiation-health/seed.ts";
import { accessOf } from "../../../systems/kit/fault-switch.ts";
import { accessTo } from "../../support/access.ts";
import { until, type TestDatabase } from "../stand.ts";
import { drillContext, makeStand, type Programs, type Stand } from "./stand.ts";

const { faults } = radiationHealth.drill;
let stand: Stand;
let database: TestDatabase;
let programs: Programs = {};
let number = 0;

beforeAll(async () => {
  stand = await makeStand();
});
afterAll(() => stand.remove());
afterEach(async () => void (await Promise.all(Object.values(programs).map((program) => program.stop()))));

const API = "radiation-monitoring";
/** What a fault shows in; everything else would only take time. */
const NEEDS: Record<string, string[]> = {
  "broken-alerts": [API, "csv-polling-service", "anomaly-detection-service", "websocket-service"],
  "data-corruption": [API],
  "slow-responses": [API],
  "pool-exhaustion": [API],
  "memory-leak": ["data-retention-service"],
  "websocket-failures": ["websocket-service"],
  "broken-configuration": ["anomaly-detection-service"],
};

async function startNewer(names: readonly string[], faultsEnabled: "0" | "1"): Promise<void> {
  database = await stand.makeDatabase(`fault_${++number}`, "v1.9.0");
  await seed(accessTo(database.admin), 500);
  const config = { FAULTS_ENABLED: faultsEnabled };
  programs = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await stand.start(name, "v1.9.0", database, config)] as const)),
  );
}

/** As the rollback of its scope does it: one service anew, or every one at the earlier release. */
async function goBack(service: string | undefined): Promise<void> {
  const names = service === undefined ? Object.keys(programs) : [service];
  await Promise.all(names.map((name) => programs[name]!.stop()));
  for (const name of names) programs[name] = await stand.start(name, service === undefined ? "v1.8.0" : "v1.9.0", database);
}

describe.each(Object.entries(faults))("%s", (name, fault) => {
  test("does not show before it is switched on, shows afterwards, and is gone with the code or the process that has it", async () => {
    await startNewer(NEEDS[name]!, "1");
    const context = drillContext(programs, database);
    expect(await fault.probe(context)).toBeNull();
    for (const [service, config] of Object.entries(fault.configure ?? {})) {
      await programs[service]!.stop();
      programs[service] = await stand.start(service, "v1.9.0", database, config);
    }
    expect(await fault.probe(context)).toBeNull();
    await fault.switchOn(context);
    expect(await until(() => fault.probe(context))).toMatch(/\w+ \w+/);
    // Only the snapshot brings damaged rows back.
    if (name === "data-corruption") return;
    await goBack(fault.service ?? Object.keys(fault.configure ?? {})[0]);
    await until(async () => (await fault.probe(context)) === null);
  });
});

test("at most seven faults, one for each thing that can be seen; each with a scope, and a service where the scope is for one", () => {
  expect(Object.keys(faults).length).toBeLessThanOrEqual(7);
  for (const fault of Object.values(faults)) {
    const scope = radiationHealth.scopes[fault.scope]!;
    expect(scope.pins.service === undefined).toBe(fault.service === undefined);
  }
});

test("a release that was not started for drills cannot be broken", async () => {
  await startNewer([API], "0");
  await expect(faults["slow-responses"]!.switchOn(drillContext(programs, database))).rejects.toThrow(/FAULTS_ENABLED=1/);
});

test("damage is done to others, never to what a client wrote", async () => {
  await startNewer([API], "1");
  const context = drillContext(programs, database);
  await faults["data-corruption"]!.switchOn(context);
  const access = accessOf(context);
  const headers = { authorization: `Bearer ${await login(access)}` };
  const body = JSON.stringify({ employeeNumber: "MINE", fullName: "mine" });
  expect((await fetch(`${access.url("radiation-monitoring")}${PERSONNEL_PATH}`, { method: "POST", headers, body })).status).toBe(200);
  const { rows } = await database.admin.query("SELECT full_name FROM radiation_personnel WHERE employee_number = 'MINE'");
  expect(rows).toEqual([{ full_name: "mine" }]);
  expect(await faults["data-corruption"]!.probe(context)).toMatch(/readings with a dose/);
});
