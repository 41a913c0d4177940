import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withFileChecks } from "../../../config/checks/load.ts";
import type { Baseline, CheckContext } from "../../../config/system/check.ts";
import { tryChain } from "../../../systems/radiation-health/chain.ts";
import { TRIAL } from "../../../systems/radiation-health/checks.ts";
import { definition as radiationHealth } from "../../../systems/radiation-health/definition.ts";
import { seed } from "../../../systems/radiation-health/seed.ts";
import { applyMigration, rollBackMigration } from "../../../databases/postgres/migrations.ts";
import { accessTo } from "../../support/access.ts";
import { whileAnswering } from "../answering-server.ts";
import { countOf, type TestDatabase } from "../stand.ts";
import { checkContext, makeStand, MIGRATIONS, OWNER, type Programs, type Stand } from "./stand.ts";

const TABLES = ["radiation_personnel", "devices", "csv_imports", "dose_readings", "alerts"];

let stand: Stand;
let database: TestDatabase;
let programs: Programs;
let baseline: Baseline;

beforeAll(async () => {
  stand = await makeStand();
  database = await stand.makeDatabase("checked", "v1.8.0");
  await seed(accessTo(database.admin), 500);
  programs = await stand.startAll("v1.8.0", database);
  baseline = { at: new Date().toISOString(), release: "v1.8.0", counts: await counts(), latencyMs: 1, flags: {} };
});
afterAll(() => stand.remove());

async function counts(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const table of TABLES) found[table] = await countOf(database, table);
  return found;
}

const run = (id: string, change: Partial<CheckContext> = {}) =>
  withFileChecks(radiationHealth)
    .checks.find((check) => check.id === id)!
    .run(checkContext(programs, database, { baseline, ...change }));
const failsWith = (text: string | RegExp) => ({ status: "failed", detail: expect.stringMatching(text) as string });

/** Answers some requests itself; everything else reaches the programs. */
const answering = (answer: (url: string) => Response | null): Partial<CheckContext> => ({
  fetch: async (url, init) => answer(url) ?? fetch(url, init),
});

test("all pass on a healthy system, twice, and leave nothing behind", async () => {
  const before = await counts();
  for (let round = 0; round < 2; round++)
    for (const { id } of withFileChecks(radiationHealth).checks)
      expect([id, await run(id)]).toMatchObject([id, { status: "passed", detail: expect.any(String) as string }]);
  expect(await counts()).toEqual(before);
});

describe("each fails on its opposite", () => {
  test("all-online, no-failed-service: one of five is gone, another release runs, one starts anew while it is watched", async () => {
    const gone = (name: string): Partial<CheckContext> => ({
      observe: async (service) => ({ running: service !== name, release: "v1.8.0", pid: 1 }),
    });
    for (const name of Object.keys(programs)) {
      expect(await run("all-online", gone(name))).toMatchObject(failsWith(`${name} does not run`));
      expect(await run("no-failed-service", gone(name))).toMatchObject(failsWith(`${name} has ended`));
    }
    expect(await run("all-online", { releases: { "radiation-monitoring": "v1.9.0" } })).toMatchObject(failsWith("declared is v1.9.0"));
    let pid = 0;
    expect(await run("no-failed-service", { observe: async () => ({ running: true, release: "v1.8.0", pid: (pid += 1) }) })).toMatchObject(
      failsWith("was restarted"),
    );
  });

  test("health, personnel, devices, database-version", async () => {
    expect(
      (
        await run(
          "health",
          answering(() => Response.json({ status: "unhealthy" }, { status: 503 })),
        )
      ).status,
    ).toBe("failed");
    expect(
      await run(
        "personnel",
        answering(() => Response.json({ personnel: [] })),
      ),
    ).toMatchObject(failsWith("nobody is listed"));
    expect(
      await run(
        "devices",
        answering(() => Response.json({ devices: [] })),
      ),
    ).toMatchObject(failsWith("0 devices are listed"));
    expect(await run("database-version")).toMatchObject({ status: "passed", detail: expect.stringMatching(/^PostgreSQL \d/) as string });
    const violations = () => Promise.reject(new Error("cannot be reached"));
    await expect(run("database-version", { violations })).rejects.toThrow("cannot be reached");
  });

  test("websocket: nobody answers, another release greets", async () => {
    const elsewhere = (service: string) => (service === "websocket-service" ? "http://127.0.0.1:9" : programs[service]!.url);
    expect(await run("websocket", { url: elsewhere })).toMatchObject(failsWith("no WebSocket at"));
    expect(await run("websocket", { releases: { "websocket-service": "v1.9.0" } })).toMatchObject(failsWith("declared is v1.9.0"));
  });

  test("count: one too few, one too many; what services add after the fence is none too many; skipped without a baseline", async () => {
    const before = (change: Record<string, number>): Partial<CheckContext> => ({
      baseline: { ...baseline, counts: { ...baseline.counts, ...change } },
    });
    for (const table of ["radiation_personnel", "dose_readings", "alerts"]) {
      const now = baseline.counts[table]!;
      expect(await run("count", before({ [table]: now + 1 }))).toMatchObject(failsWith(`${table} has ${now} rows`));
      expect((await run("count", before({ [table]: now - 1 }))).status).toBe("failed");
    }
    const earlier = { ...baseline, at: "2020-01-01T00:00:00Z", counts: { dose_readings: baseline.counts["dose_readings"]! - 1 } };
    expect((await run("count", { baseline: earlier })).status).toBe("passed");
    expect((await run("count", { baseline: null })).status).toBe("skipped");
    expect(await run("count", { baseline: { ...earlier, counts: { users: 3 } } })).toMatchObject({
      status: "skipped",
      detail: "none of radiation_personnel, dose_readings, alerts was counted before",
    });
    expect((await run("count", { ...before({ alerts: 1_000_000 }), open: true })).status).toBe("passed");
  });

  test("count does not count what an interrupted verification left; somebody else of that number stays", async () => {
    const person = (name: string) =>
      database.admin.query("INSERT INTO radiation_personnel (employee_number, full_name) VALUES ($1, $2)", [TRIAL.marker, name]);
    await person(TRIAL.note);
    expect((await run("count")).status).toBe("passed");
    await person("Somebody");
    expect((await run("count")).status).toBe("failed");
    expect((await run("alert-chain")).status).toBe("failed");
    expect(await countOf(database, "radiation_personnel", "full_name = 'Somebody'")).toBe(1);
    await database.admin.query("DELETE FROM radiation_personnel WHERE full_name = 'Somebody'");
  });

  test("response-time and error-rate: their limits are 500 ms and 5 %", async () => {
    const slow = await whileAnswering(
      (_asked, response) => void setTimeout(() => response.end("{}"), 510),
      (url) => run("response-time", { url: () => url }),
    );
    expect(slow).toMatchObject(failsWith("the limit is 500 ms"));
    const failing = (every: number) =>
      whileAnswering(
        (asked, response) => void response.writeHead(asked % every === 0 ? 500 : 200).end("{}"),
        (url) => run("error-rate", { url: () => url }),
      );
    expect(await failing(12)).toMatchObject(failsWith(/8 errors in 100 requests \(the first: answered 500\), median .*; the limit is 5 %/));
    expect((await failing(20)).status).toBe("passed");
  });

  test("memory and connections: 95 % of the limit, a pool nobody gets a session of", async () => {
    const sessions = { max: 4, total: 4, idle: 0, waiting: 3 };
    const say = (vitals: object) => answering((url) => (url.endsWith("/health/vitals") ? Response.json(vitals) : null));
    expect((await run("memory", say({ rssBytes: 96, memoryLimitBytes: 100 }))).status).toBe("failed");
    expect((await run("memory", say({ rssBytes: 94, memoryLimitBytes: 100 }))).status).toBe("passed");
    expect((await run("memory", say({}))).status).toBe("failed");
    expect(await run("connections", say({ sessions }))).toMatchObject(failsWith("all 4 sessions are taken, 3 requests wait"));
    expect((await run("connections", say({ sessions: { ...sessions, idle: 1 } }))).status).toBe("passed");
  });

  test("error-log: a line of level error of any of the five, a stack trace; not a warning", async () => {
    const lines = (line: string): Partial<CheckContext> => ({ errorLog: async (name) => (name === "csv-polling-service" ? [line] : []) });
    expect(await run("error-log", lines('{"level":"error","message":"x"}'))).toMatchObject(failsWith("csv-polling-service: 1 of"));
    expect((await run("error-log", lines("TypeError: x is not a function"))).status).toBe("failed");
    expect((await run("error-log", lines('{"level":"warn","message":"an error was mended"}'))).status).toBe("passed");
  });

  test("no-silent-alerts: a reading above its limit without an alert", async () => {
    const { rows } = await database.admin.query<{ id: string }>(
      `INSERT INTO dose_readings (employee_number, device_serial, raw_usv, dose_msv, measured_at, evaluated_at)
       SELECT employee_number, 'DEV-001', 9000, 9, now(), now() FROM radiation_personnel LIMIT 1 RETURNING id`,
    );
    expect(await run("no-silent-alerts")).toMatchObject(failsWith("1 readings above their limit have no alert"));
    await database.admin.query("DELETE FROM dose_readings WHERE id = $1", [rows[0]!.id]);
  });
});

describe("alert-chain", () => {
  test("fails where somebody listens to nothing, and where a service of the chain is stopped; nothing is left behind", async () => {
    const before = await counts();
    const chain = async (without: string): Promise<string> => {
      await programs[without]!.stop();
      const found = await tryChain(checkContext(programs, database), database.admin, { ...TRIAL, limitMs: 1_500 });
      programs[without] = await stand.start(without, "v1.8.0", database);
      return Object.entries(found)
        .filter(([, value]) => value === true)
        .map(([name]) => name)
        .join(" ");
    };
    expect(await chain("csv-polling-service")).toBe("");
    expect(await chain("anomaly-detection-service")).toBe("reading");
    expect(await chain("data-retention-service")).toMatch(/^reading anomaly raised (sent )?received$/);
    await programs["websocket-service"]!.stop();
    expect(await run("alert-chain")).toMatchObject(failsWith("no WebSocket at"));
    programs["websocket-service"] = await stand.start("websocket-service", "v1.8.0", database);
    expect((await run("alert-chain", { running: { "websocket-service": false } })).status).toBe("skipped");
    expect(await counts()).toEqual(before);
  });
});

describe("the schema", () => {
  test("feature-tables: new tables and the view of before, or the table of before alone; half of it fails", async () => {
    const other = await stand.makeDatabase("schema", "v1.9.0");
    const at = (schema: CheckContext["schema"]) => run("feature-tables", { schema, database: async () => Promise.resolve(other.admin) });
    expect((await at("keep")).status).toBe("passed");
    expect(await at("down")).toMatchObject(failsWith("although the schema policy is down"));
    await other.admin.query("UPDATE threshold_profiles SET limit_msv = 4 WHERE zone = 'controlled' AND kind = 'single'");
    await rollBackMigration(other.admin, MIGRATIONS[1]!, { owner: OWNER });
    expect((await at("down")).status).toBe("passed");
    const { rows } = await other.admin.query("SELECT zone, limit_msv::float8 AS limit FROM alert_thresholds ORDER BY zone");
    expect(rows).toEqual([
      { zone: "controlled", limit: 4 },
      { zone: "supervised", limit: 1 },
    ]);
    const renamed = "ALTER TABLE alert_thresholds RENAME TO kept";
    await other.admin.query(`${renamed}; CREATE MATERIALIZED VIEW alert_thresholds AS SELECT * FROM kept`);
    expect(await at("down")).toMatchObject(failsWith("alert_thresholds is of kind m .should be a table."));
    await other.admin.query("DROP MATERIALIZED VIEW alert_thresholds; ALTER TABLE kept RENAME TO alert_thresholds");
    await other.admin.query("CREATE TABLE dose_trends (id int)");
    expect(await at("down")).toMatchObject(failsWith("dose_trends is a table (should be missing)".replaceAll(/[()]/g, ".")));
    await other.admin.query("DROP TABLE dose_trends");
    await applyMigration(other.admin, MIGRATIONS[1]!, { owner: OWNER });
    expect((await at("keep")).status).toBe("passed");
  });
});

test("the read probe reads, and throws where it cannot", async () => {
  const probe = await radiationHealth.readProbe!(checkContext(programs, database));
  await expect(probe()).resolves.toBeUndefined();
  const closed = await radiationHealth.readProbe!(
    checkContext(
      programs,
      database,
      answering(() => new Response("", { status: 503 })),
    ),
  );
  await expect(closed()).rejects.toThrow("503");
});
