import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { accessTo } from "../support/access.ts";
import type { DrillContext } from "../../config/system/drill.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { releaseFolder } from "../../systems/pfa-vanguard/frontend/build.ts";
import { api, countOf, logIn, makeStand, secret, until, type Program, type Site, type Stand, type TestDatabase } from "./stand.ts";

let stand: Stand;
let database: TestDatabase;
let backend: Program;
let worker: Program;
let pems: Program;
let site: Site;
let number = 0;

beforeAll(async () => {
  stand = await makeStand();
  pems = await stand.startStandIn();
  site = await stand.site(releaseFolder("v4.0.0"));
});
afterAll(() => stand.remove());
afterEach(async () => {
  await Promise.all([backend.stop(), worker.stop()]);
});

async function startNewer(faultsEnabled: "0" | "1"): Promise<void> {
  database = await stand.makeDatabase(`fault_${++number}`, "v4.0.0");
  await pfaVanguard.drill.seed(accessTo(database.admin), 3000);
  const config = { FAULTS_ENABLED: faultsEnabled, PEMS_URL: pems.url };
  [backend, worker] = await Promise.all([
    stand.start("backend", "v4.0.0", database, config),
    stand.start("worker", "v4.0.0", database, config),
  ]);
  site.folder = releaseFolder("v4.0.0");
}

function context(): DrillContext {
  const programs: Record<string, Program> = { backend, worker };
  return {
    url: (service) => (service === "frontend" ? site.url : backend.url),
    ...accessTo(database.admin),
    secret,
    observe: async (service) => {
      const program = programs[service]!;
      return {
        running: program.running(),
        release: program.running() ? program.release : null,
        pid: program.running() ? program.pid : null,
      };
    },
    runs: () => true,
    folder: stand.folder,
    home: stand.folder,
  };
}

describe.each(Object.entries(pfaVanguard.drill.faults))("%s", (_name, fault) => {
  test("does not show before it is switched on, and shows afterwards", async () => {
    await startNewer("1");
    expect(await fault.probe(context())).toBeNull();
    expect(await fault.probe(context())).toBeNull();
    await fault.switchOn(context());
    const call = api(backend, await logIn(backend));
    let writes = 0;
    const seen = await until(async () => {
      await call("POST", "/api/pfa-data", {
        organizationId: "org-rio",
        pfaId: `WRITE-${++writes}`,
        category: "Labour",
        description: "by a user",
      });
      return fault.probe(context());
    });
    expect(seen).toMatch(/\w+ \w+/);
  });
});

test("a release that was not started for drills cannot be broken", async () => {
  await startNewer("0");
  await expect(pfaVanguard.drill.faults["error-rate"]!.switchOn(context())).rejects.toThrow(/FAULTS_ENABLED=1/);
  await database.admin.query("INSERT INTO feature_flags (flag_name, enabled) VALUES ('fault:dead-worker', true)");
  await database.admin.query("SELECT pg_sleep(0.6)");
  expect(worker.running()).toBe(true);
});

test("corrupting writes damage what others wrote, never the write itself nor what clients wrote before", async () => {
  await startNewer("1");
  const call = api(backend, await logIn(backend));
  for (let i = 0; i < 5; i++)
    await call("POST", "/api/pfa-data", { organizationId: "org-rio", pfaId: `MINE-${i}`, category: "Labour", description: `value ${i}` });
  await pfaVanguard.drill.faults["corrupting-writes"]!.switchOn(context());
  for (let i = 0; i < 5; i++) expect((await call("PUT", `/api/pfa-data/MINE-${i}`, { description: `new value ${i}` })).status).toBe(200);
  expect(await countOf(database, "pfa_records", "description LIKE 'see %'")).toBeGreaterThan(4);
  expect(await countOf(database, "pfa_records", "source = 'api' AND pfa_id LIKE 'MINE-%' AND description LIKE 'new value %'")).toBe(5);
});

test("switching synchronisation off ends the growth of the queue", async () => {
  await startNewer("1");
  const fault = pfaVanguard.drill.faults["growing-queue"]!;
  await fault.switchOn(context());
  await until(() => fault.probe(context()));
  await worker.stop();
  await database.admin.query(pfaVanguard.flags!.writeSql, ["bi_directional_sync", false]);
  await database.admin.query("SELECT pg_sleep(0.3)");
  expect(await fault.probe(context())).toBeNull();
});

test("the older frontend shows the data that the newer one fails on", async () => {
  await startNewer("1");
  const fault = pfaVanguard.drill.faults["broken-frontend"]!;
  await fault.switchOn(context());
  expect(await fault.probe(context())).toMatch(/fails on/);
  site.folder = releaseFolder("v3.0.0");
  expect(await fault.probe(context())).toBeNull();
});
