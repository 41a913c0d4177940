// Longer than 300 lines: every check is planted against on one running system.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { accessTo } from "../support/access.ts";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { markRolledBack, rollBackMigration } from "../../databases/postgres/migrations.ts";
import type { Baseline, CheckContext } from "../../config/system/check.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { releaseFolder } from "../../systems/pfa-vanguard/frontend/build.ts";
import { whileAnswering } from "./answering-server.ts";
import { api, countOf, logIn, makeStand, MIGRATIONS, secret, type Program, type Site, type Stand, type TestDatabase } from "./stand.ts";

let stand: Stand;
let database: TestDatabase;
let backend: Program;
let worker: Program;
let site: Site;
let baseline: Baseline;
let lines: string[] = [];

beforeAll(async () => {
  stand = await makeStand();
  database = await stand.makeDatabase("checked", "v4.0.0");
  await pfaVanguard.drill.seed(accessTo(database.admin), 2000);
  await markRolledBack(database.admin, MIGRATIONS[2]!.name);
  backend = await stand.start("backend", "v3.0.0", database);
  worker = await stand.start("worker", "v3.0.0", database);
  baseline = {
    at: new Date().toISOString(),
    release: "v4.0.0",
    counts: { pfa_records: 2000, pfa_modification: 100 },
    latencyMs: 3,
    flags: {},
  };
});
afterAll(() => stand.remove());

beforeEach(async () => {
  lines = [];
  const folder = mkdtempSync(join(stand.folder, "site-"));
  cpSync(releaseFolder("v3.0.0"), folder, { recursive: true });
  site = await stand.site(folder);
});

function context(change: Partial<CheckContext> = {}): CheckContext {
  const observe = (program: Program | null) => ({
    running: program?.running() ?? false,
    release: program?.release ?? null,
    pid: program?.pid ?? null,
  });
  return {
    url: (service) => (service === "frontend" ? site.url : backend.url),
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(10_000) }),
    database: async () => database.admin,
    sqlite: accessTo(database.admin).sqlite,
    releases: { backend: "v3.0.0", worker: "v3.0.0", frontend: "v3.0.0" },
    running: { backend: true, worker: false, frontend: true },
    secret,
    baseline,
    dataRestored: false,
    open: false,
    counting: change.open === true ? "any" : "exact",
    errorLog: async () => lines,
    flags: { bi_directional_sync: true },
    maintenance: { mode: "off", message: "" },
    schema: "mark",
    observe: async (service) => observe(service === "backend" ? backend : null),
    ...change,
  };
}

async function run(id: string, change: Partial<CheckContext> = {}) {
  const found = pfaVanguard.checks.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no check ${id}`);
  return found.run(context(change));
}

/** Sends the requests of one check elsewhere. */
function answering(answer: (url: string) => Response | null): Partial<CheckContext> {
  return { fetch: async (url, init) => answer(url) ?? fetch(url, init) };
}

test("all pass on a healthy system, in their order, and leave nothing behind", async () => {
  const tables = ["pfa_records", "pfa_modification", "pfa_write_queue"];
  const counts = async () => {
    const found: number[] = [];
    for (const table of tables) found.push(await countOf(database, table));
    return found;
  };
  const before = await counts();
  for (const { id } of pfaVanguard.checks)
    expect([id, await run(id)]).toMatchObject([id, { status: "passed", detail: expect.any(String) as string }]);
  for (const { id } of pfaVanguard.checks) expect((await run(id)).status).toBe("passed");
  expect(await counts()).toEqual(before);
});

describe("each fails on its opposite", () => {
  test("worker-stopped: a worker that is off runs, one that is on does not, one runs another release", async () => {
    const runs = { observe: async () => ({ running: true, release: "v4.0.0", pid: worker.pid }) };
    expect(await run("worker-stopped", runs)).toMatchObject({
      status: "failed",
      detail: `the worker runs v4.0.0 as process ${worker.pid}, declared is off`,
    });
    const on = { running: { worker: true } };
    expect((await run("worker-stopped", on)).status).toBe("failed");
    expect((await run("worker-stopped", { ...on, ...runs })).status).toBe("failed");
    expect((await run("worker-stopped", { ...on, observe: async () => ({ running: true, release: "v3.0.0", pid: 1 }) })).status).toBe(
      "passed",
    );
  });

  test("health: another version, an unhealthy database, nobody there", async () => {
    expect(await run("health", { releases: { backend: "v4.0.0" } })).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/v3\.0\.0.*v4\.0\.0/) as string,
    });
    const unhealthy = answering((url) => (url.endsWith("/health/db") ? Response.json({ status: "unhealthy" }, { status: 503 }) : null));
    expect(await run("health", unhealthy)).toMatchObject({ status: "failed", detail: expect.stringContaining("503") as string });
    expect((await run("health", { url: () => "http://127.0.0.1:1" })).status).toBe("failed");
  });

  test("login: wrong password, an answer without token", async () => {
    expect((await run("login", { secret: () => "guess" })).status).toBe("failed");
    expect(
      (
        await run(
          "login",
          answering(() => Response.json({ token: "no token" })),
        )
      ).status,
    ).toBe("failed");
  });

  test("read: no rows although there were some", async () => {
    expect(
      (
        await run(
          "read",
          answering((url) => (url.includes("pfa-data") ? Response.json({ rows: [] }) : null)),
        )
      ).status,
    ).toBe("failed");
  });

  test("count: one too few or too many; skipped without a baseline; told on an open system", async () => {
    const one = { ...baseline, counts: { pfa_records: 2001 } };
    expect(await run("count", { baseline: one })).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/2000.*2001/) as string,
    });
    expect((await run("count", { baseline: { ...baseline, counts: { pfa_records: 1999 } } })).status).toBe("failed");
    expect((await run("count", { baseline: { ...baseline, counts: { pfa_records: 2000, pfa_modification: 1 } } })).status).toBe("failed");
    expect((await run("count", { baseline: null })).status).toBe("skipped");
    expect((await run("count", { baseline: one, open: true })).status).toBe("passed");
  });

  test("count: a baseline that counted neither table shows nothing, and says so", async () => {
    for (const counts of [{}, { users: 3 }] as Record<string, number>[])
      for (const open of [false, true])
        expect(await run("count", { baseline: { ...baseline, counts }, open })).toEqual({
          status: "skipped",
          detail: "none of pfa_records, pfa_modification was counted before",
        });
  });

  test("count does not count what an interrupted verification left behind", async () => {
    const call = api(backend, await logIn(backend));
    await call("POST", "/api/pfa-data", {
      organizationId: "org-rio",
      pfaId: "TEST-001",
      category: "Equipment",
      description: "written by a verification, removed by it",
    });
    expect(await countOf(database, "pfa_records")).toBe(2001);
    expect((await run("count")).status).toBe("passed");
    expect(await countOf(database, "pfa_records")).toBe(2000);
  });

  test("write: a record of that name is somebody's, and stays; a write that is acknowledged and not there", async () => {
    await database.admin.query(
      "INSERT INTO pfa_records (pfa_id, organization_id, category, description) VALUES ('TEST-001', 'org-rio', 'Labour', 'mine')",
    );
    expect(await run("write")).toMatchObject({ status: "failed", detail: expect.stringContaining("TEST-001") as string });
    expect(await countOf(database, "pfa_records", "pfa_id = 'TEST-001' AND description = 'mine'")).toBe(1);
    await database.admin.query("DELETE FROM pfa_records WHERE pfa_id = 'TEST-001'");
    const lost: Partial<CheckContext> = {
      fetch: async (url, init) => (init?.method === "POST" && url.endsWith("pfa-data") ? Response.json({}) : fetch(url, init)),
    };
    expect((await run("write", lost)).status).toBe("failed");
    const changed: Partial<CheckContext> = {
      fetch: async (url, init) =>
        fetch(url, typeof init?.body === "string" ? { ...init, body: init.body.replace('"Equipment"', '"Labour"') } : init),
    };
    expect(await run("write", changed)).toMatchObject({
      status: "failed",
      detail: 'the write was acknowledged, but the database has {"category":"Labour"}',
    });
    expect((await run("write", { maintenance: { mode: "read-only", message: "" } })).status).toBe("skipped");
  });

  test("write takes away what a synchronising backend noted, and pushes nothing", async () => {
    const newer = await stand.start("backend", "v4.0.0", database);
    const change = { url: () => newer.url };
    const before = [await countOf(database, "pfa_write_queue"), await countOf(database, "pfa_modification")];
    expect((await run("write", change)).status).toBe("passed");
    expect([await countOf(database, "pfa_write_queue"), await countOf(database, "pfa_modification")]).toEqual(before);
    await newer.stop();
  });

  test("frontend-version: page or version.json of another release", async () => {
    expect((await run("frontend-version", { releases: { frontend: "v4.0.0" } })).status).toBe("failed");
    const file = join(site.folder, "version.json");
    writeFileSync(file, readFileSync(file, "utf8").replace("v3.0.0", "v4.0.0"));
    expect(await run("frontend-version")).toMatchObject({
      status: "failed",
      detail: expect.stringContaining("version.json says v4.0.0") as string,
    });
  });

  test("frontend-compatible: the page needs what the backend does not have", async () => {
    const file = join(site.folder, "version.json");
    writeFileSync(file, JSON.stringify({ version: "v5.0.0", requires: ["/api/pfa-data?organizationId=org-rio", "/api/forecast"] }));
    expect(await run("frontend-compatible")).toMatchObject({
      status: "failed",
      detail: expect.stringContaining("/api/forecast answered 404") as string,
    });
    writeFileSync(file, JSON.stringify({ version: "v5.0.0", requires: [] }));
    expect((await run("frontend-compatible")).status).toBe("failed");
    site.folder = releaseFolder("v4.0.0");
    expect((await run("frontend-compatible")).status).toBe("passed");
  });

  test("error-log: a line of level error, a stack trace; not a warning", async () => {
    for (const line of ['{"level":"error","message":"x"}', "TypeError: x is not a function"]) {
      lines = [line];
      expect((await run("error-log")).status).toBe("failed");
    }
    lines = ['{"level":"warn","message":"an error was mended"}', "listening"];
    expect((await run("error-log")).status).toBe("passed");
  });

  test("latency-and-error-rate: one failing request of 200, slow ones", async () => {
    const judged = (answer: (asked: number, response: ServerResponse) => void) =>
      whileAnswering(answer, (url) =>
        run("latency-and-error-rate", {
          url: () => url,
          fetch: (asked, init) => fetch(`${backend.url}${new URL(asked).pathname}`, init),
        }),
      );
    const one = (why: string) => ({
      status: "failed",
      detail: expect.stringContaining(`1 errors in 200 requests (the first: ${why})`) as string,
    });
    const failing = (asked: number, response: ServerResponse): void => void response.writeHead(asked === 77 ? 500 : 200).end("{}");
    expect(await judged(failing)).toMatchObject(one("answered 500"));
    const cut = (asked: number, response: ServerResponse): void => {
      if (asked === 77) response.writeHead(200, { "content-length": 10 }).write("{", () => response.destroy());
      else response.end("{}");
    };
    expect(await judged(cut)).toMatchObject(one("aborted"));
    const slowly = (asked: number, response: ServerResponse): void => void setTimeout(() => response.end("{}"), asked % 20 === 0 ? 0 : 510);
    expect(await judged(slowly)).toMatchObject({ status: "failed", detail: expect.stringContaining("the limit is 500 ms") as string });
  });

  test("uat: a filter that shows other rows, a sort that does not, an export that is none", async () => {
    const row = (category: string, totalCost: number) => ({ pfaId: "X", category, totalCost });
    const instead = (part: string, answer: () => Response) => answering((url) => (url.includes(part) ? answer() : null));
    expect(
      (
        await run(
          "uat",
          instead("category=", () => Response.json({ rows: [row("Labour", 1)] })),
        )
      ).status,
    ).toBe("failed");
    expect(
      (
        await run(
          "uat",
          instead("category=", () => Response.json({ rows: [] })),
        )
      ).status,
    ).toBe("failed");
    expect(
      (
        await run(
          "uat",
          instead("sort=", () => Response.json({ rows: [row("Labour", 1), row("Labour", 2)] })),
        )
      ).status,
    ).toBe("failed");
    expect(
      (
        await run(
          "uat",
          instead("format=csv", () => Response.json({ rows: [] })),
        )
      ).status,
    ).toBe("failed");
  });

  test("watch-sample: a restart while watching, memory, new error lines", async () => {
    let pid = 1;
    expect((await run("watch-sample", { observe: async () => ({ running: true, release: "v3.0.0", pid: pid++ }) })).status).toBe("failed");
    expect(
      (
        await run(
          "watch-sample",
          answering((url) => (url.endsWith("/metrics") ? Response.json({ rssBytes: 2 ** 30 }) : null)),
        )
      ).status,
    ).toBe("failed");
    const log: string[] = [];
    const errorLog = async () => (log.push('{"level":"error"}'), [...log]);
    expect((await run("watch-sample", { errorLog })).status).toBe("failed");
  });

  test("flags-as-declared: another value, a missing flag", async () => {
    expect(await run("flags-as-declared", { flags: { bi_directional_sync: false } })).toMatchObject({ status: "failed" });
    expect(await run("flags-as-declared", { flags: { dark_mode: false } })).toMatchObject({
      status: "failed",
      detail: expect.stringContaining("missing") as string,
    });
    expect((await run("flags-as-declared", { flags: {} })).status).toBe("skipped");
  });

  test("banner: another mode or message; skipped while the gate is closed", async () => {
    const declared = { mode: "read-only", message: "Sync temporarily disabled. Read-only mode." } as const;
    expect((await run("banner", { maintenance: declared })).status).toBe("failed");
    site.maintenance = { mode: "read-only", message: "something else" };
    expect((await run("banner", { maintenance: declared })).status).toBe("failed");
    site.maintenance = { ...declared };
    expect((await run("banner", { maintenance: declared })).status).toBe("passed");
    site.maintenance = { mode: "full", message: "closed" };
    expect((await run("banner")).status).toBe("failed");
    site.gateMode = "closed";
    expect((await run("banner")).status).toBe("skipped");
  });
});

test("new-tables-remain follows the policy: kept, marked, taken back, never applied", async () => {
  const other = await stand.makeDatabase("policy", "v4.0.0");
  const at = (schema: CheckContext["schema"]) => run("new-tables-remain", { schema, database: async () => other.admin });
  expect((await at("keep")).status).toBe("passed");
  await markRolledBack(other.admin, MIGRATIONS[2]!.name);
  expect((await at("mark")).status).toBe("passed");
  expect((await at("down")).status).toBe("failed");
  await other.admin.query("DROP TABLE pfa_sync_conflict");
  expect(await at("mark")).toMatchObject({ status: "failed", detail: expect.stringContaining("pfa_sync_conflict") as string });
  const back = await stand.makeDatabase("taken_back", "v4.0.0");
  await rollBackMigration(back.admin, MIGRATIONS[2]!, { owner: "owner" });
  expect((await run("new-tables-remain", { schema: "down", database: async () => back.admin })).status).toBe("passed");
  expect((await run("new-tables-remain", { schema: "mark", database: async () => back.admin })).status).toBe("failed");
  const never = await stand.makeDatabase("never", "v3.0.0");
  expect((await run("new-tables-remain", { schema: "keep", database: async () => never.admin })).status).toBe("skipped");
});

test("the read probe reads, and throws where it cannot", async () => {
  const probe = await pfaVanguard.readProbe!(context());
  await expect(probe()).resolves.toBeUndefined();
  await expect(pfaVanguard.readProbe!(context({ secret: () => "guess" }))).rejects.toThrow("401");
});
