import { readFileSync } from "node:fs";
import { accessTo } from "../support/access.ts";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { api, countOf, logIn, makeStand, until, type Program, type Stand, type TestDatabase } from "./stand.ts";

let stand: Stand;
const databases: Record<string, TestDatabase> = {};

beforeAll(async () => {
  stand = await makeStand();
  for (const schema of ["v3.0.0", "v4.0.0"]) {
    const database = await stand.makeDatabase(`schema_${schema[1]}`, schema);
    await pfaVanguard.drill.seed(accessTo(database.admin), 400);
    databases[schema] = database;
  }
});
afterAll(() => stand.remove());

describe.each([
  { release: "v3.0.0", schema: "v3.0.0" },
  { release: "v3.0.0", schema: "v4.0.0" },
  { release: "v4.0.0", schema: "v4.0.0" },
])("backend $release on the schema of $schema", ({ release, schema }) => {
  let backend: Program;
  let database: TestDatabase;
  let call: ReturnType<typeof api>;
  beforeAll(async () => {
    database = databases[schema]!;
    backend = await stand.start("backend", release, database);
    call = api(backend, await logIn(backend));
  });
  afterAll(async () => {
    expect(await backend.stop()).toBe(0);
    expect(backend.errorLines()).toEqual([]);
  });

  test("refuses a wrong password, a missing and a forged token", async () => {
    const login = await fetch(`${backend.url}/api/auth/login`, {
      method: "POST",
      body: JSON.stringify({ username: "test-user", password: "guess" }),
    });
    expect(login.status).toBe(401);
    expect((await fetch(`${backend.url}/api/pfa-data?organizationId=org-rio`)).status).toBe(401);
    const token = await logIn(backend);
    expect((await api(backend, `${token.slice(0, -2)}xx`)("GET", "/api/pfa-data?organizationId=org-rio")).status).toBe(401);
    const [header, , signature] = token.split(".");
    const forged = `${header!}.${Buffer.from(JSON.stringify({ sub: "test-user", exp: 4102444800 })).toString("base64url")}.${signature!}`;
    expect((await api(backend, forged)("GET", "/api/pfa-data?organizationId=org-rio")).status).toBe(401);
  });

  test("refuses what it cannot use, without changing anything", async () => {
    const before = await countOf(database, "pfa_records");
    expect((await call("GET", "/api/pfa-data")).status).toBe(400);
    expect((await call("GET", "/api/pfa-data?organizationId=org-rio&sort=password")).status).toBe(400);
    expect((await call("POST", "/api/pfa-data", { organizationId: "org-rio", category: "Labour" })).status).toBe(400);
    expect(
      (await call("POST", "/api/pfa-data", { organizationId: "org-rio", pfaId: "N", category: "Labour", monthlyRate: -1 })).status,
    ).toBe(400);
    expect((await call("POST", "/api/pfa-data", { organizationId: "org-rio", pfaId: "PFA-000000001", category: "Labour" })).status).toBe(
      409,
    );
    expect((await call("PUT", "/api/pfa-data/NOBODY", { description: "x" })).status).toBe(404);
    expect((await call("DELETE", "/api/pfa-data/NOBODY")).status).toBe(404);
    expect((await call("PATCH", "/api/pfa-data")).status).toBe(404);
    expect(await countOf(database, "pfa_records")).toBe(before);
  });

  test("answers health with its own version", async () => {
    expect((await call("GET", "/health")).text.trim()).toBe(`{"status":"healthy","version":"${release}"}`);
    expect((await call("GET", "/health/db")).json()).toEqual({ status: "healthy" });
    expect((await call("GET", "/health/metrics")).json()).toMatchObject({ rssBytes: expect.any(Number) as number });
  });

  test("writes, changes and deletes a record, and keeps its history", async () => {
    const created = await call("POST", "/api/pfa-data", {
      organizationId: "org-rio",
      pfaId: "W-1",
      category: "Labour",
      monthlyRate: 10,
      durationMonths: 3,
    });
    expect(created).toMatchObject({ status: 200 });
    expect(created.json()).toMatchObject({ pfaId: "W-1", totalCost: 30, source: "api" });
    const updated = await call("PUT", "/api/pfa-data/W-1", { description: 'a "quoted", text', monthlyRate: 20 });
    expect(updated.json()).toMatchObject({ description: 'a "quoted", text', totalCost: 60 });
    const csv = await call("GET", "/api/pfa-data?organizationId=org-rio&category=Labour&sort=pfaId&order=desc&format=csv");
    expect(csv.type).toContain("text/csv");
    expect(csv.text.split("\r\n")[1]).toBe('W-1,org-rio,Labour,"a ""quoted"", text",20,3,60');
    expect((await call("DELETE", "/api/pfa-data/W-1")).status).toBe(200);
    expect(await countOf(database, "pfa_records", "pfa_id = 'W-1'")).toBe(0);
    const { rows } = await database.admin.query("SELECT operation FROM pfa_modification WHERE pfa_id = 'W-1' ORDER BY id DESC LIMIT 3");
    expect(rows.map((row: { operation: string }) => row.operation)).toEqual(["delete", "update", "create"]);
  });

  test("filters and sorts", async () => {
    const rows = (await call("GET", "/api/pfa-data?organizationId=org-rio&category=Equipment&sort=totalCost&order=desc&limit=7")).json()[
      "rows"
    ] as { category: string; totalCost: number }[];
    expect(rows).toHaveLength(7);
    expect(new Set(rows.map((row) => row.category))).toEqual(new Set(["Equipment"]));
    expect(rows.map((row) => row.totalCost)).toEqual(rows.map((row) => row.totalCost).sort((a, b) => b - a));
  });

  test("has no switch for defects unless it was given one", async () => {
    expect((await call("POST", "/__faults", { name: "error-rate", on: true })).status).toBe(404);
  });
});

test("v3.0.0 enqueues nothing, v4.0.0 everything, unless asked not to or the flag is off", async () => {
  const database = databases["v4.0.0"]!;
  const write = async (release: string, pfaId: string, headers = {}): Promise<number> => {
    const backend = await stand.start("backend", release, database);
    await api(backend, await logIn(backend))("POST", "/api/pfa-data", { organizationId: "org-rio", pfaId, category: "Labour" }, headers);
    await backend.stop();
    return countOf(database, "pfa_write_queue", `pfa_id = '${pfaId}'`);
  };
  expect(await write("v3.0.0", "Q-3")).toBe(0);
  expect(await write("v4.0.0", "Q-4")).toBe(1);
  expect(await write("v4.0.0", "Q-not", { "x-sync": "off" })).toBe(0);
  await database.admin.query(pfaVanguard.flags!.writeSql, ["bi_directional_sync", false]);
  expect(await write("v4.0.0", "Q-off")).toBe(0);
  await database.admin.query(pfaVanguard.flags!.writeSql, ["bi_directional_sync", true]);
  expect(await countOf(database, "pfa_modification", "pfa_id = 'Q-4' AND sync_status = 'pending'")).toBe(1);
});

test("/api/sync answers only while the flag is on", async () => {
  const database = databases["v4.0.0"]!;
  const backend = await stand.start("backend", "v4.0.0", database);
  const call = api(backend, await logIn(backend));
  await database.admin.query(pfaVanguard.flags!.writeSql, ["bi_directional_sync", false]);
  expect((await call("GET", "/api/sync/status")).status).toBe(403);
  await database.admin.query(pfaVanguard.flags!.writeSql, ["bi_directional_sync", true]);
  expect((await call("GET", "/api/sync/status")).json()).toMatchObject({ failed: 0 });
  expect((await api(backend, "none")("GET", "/api/sync/status")).status).toBe(401);
  await backend.stop();
});

describe("worker v4.0.0", () => {
  let database: TestDatabase;
  let pems: Program;
  beforeAll(async () => {
    database = await stand.makeDatabase("worker", "v4.0.0");
    pems = await stand.startStandIn();
  });
  const enqueue = (pfaId: string) =>
    database.admin.query(
      "INSERT INTO pfa_write_queue (pfa_id, organization_id, operation, payload) VALUES ($1, 'org-rio', 'update', '{\"n\": 1}')",
      [pfaId],
    );
  const state = (body: unknown) => fetch(`${pems.url}/__control`, { method: "POST", body: JSON.stringify(body) });

  test("drains the queue to PEMS, once each, and counts as an effect that cannot come back", async () => {
    const since = new Date().toISOString();
    for (const pfaId of ["D-1", "D-2", "D-3"]) await enqueue(pfaId);
    const worker = await stand.start("worker", "v4.0.0", database, { PEMS_URL: pems.url });
    await until(async () => (await countOf(database, "pfa_write_queue", "status = 'pushed'")) === 3);
    expect((await fetch(`${worker.url}/health`)).status).toBe(200);
    expect(await worker.stop()).toBe(0);
    const received = readFileSync(join(stand.folder, "pems.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { pfaId: string }).pfaId);
    expect(received).toEqual(["D-1", "D-2", "D-3"]);
    const { countSql } = pfaVanguard.effects[0]!;
    expect((await database.admin.query<{ rows: number }>(countSql, [since])).rows[0]?.rows).toBe(3);
    expect((await database.admin.query<{ rows: number }>(countSql, [new Date(Date.now() + 60_000).toISOString()])).rows[0]?.rows).toBe(0);
  });

  test("keeps a row that PEMS refuses, pushes it later, and sets a conflict aside", async () => {
    await state({ failAuth: true });
    const worker = await stand.start("worker", "v4.0.0", database, { PEMS_URL: pems.url });
    await enqueue("R-1");
    await until(
      async () => (await countOf(database, "pfa_write_queue", "pfa_id = 'R-1' AND last_error LIKE '%401' AND status = 'pending'")) === 1,
    );
    expect(worker.errorLines().join("\n")).toContain("PEMS answered 401");
    await state({});
    await until(
      async () => (await countOf(database, "pfa_write_queue", "pfa_id = 'R-1' AND status = 'pushed' AND last_error IS NULL")) === 1,
    );
    await state({ conflict: true });
    await enqueue("R-2");
    await until(async () => (await countOf(database, "pfa_sync_conflict", "pfa_id = 'R-2'")) === 1);
    expect(await countOf(database, "pfa_write_queue", "pfa_id = 'R-2' AND status = 'failed'")).toBe(1);
    await state({});
    expect(await worker.stop()).toBe(0);
  });

  test("pushes nothing while the flag is off, without PEMS, or at v3.0.0", async () => {
    await database.admin.query(pfaVanguard.flags!.writeSql, ["bi_directional_sync", false]);
    await enqueue("O-1");
    const off = await stand.start("worker", "v4.0.0", database, { PEMS_URL: pems.url });
    const without = await stand.start("worker", "v4.0.0", database);
    const old = await stand.start("worker", "v3.0.0", database, { PEMS_URL: pems.url });
    await database.admin.query("SELECT pg_sleep(0.6)");
    expect(await countOf(database, "pfa_write_queue", "pfa_id = 'O-1' AND status = 'pending'")).toBe(1);
    expect(await Promise.all([off, without, old].map((worker) => worker.stop()))).toEqual([0, 0, 0]);
    expect([...off.errorLines(), ...old.errorLines()]).toEqual([]);
  });
});
