/** What counts as up, and what an attempt to verify judges: with a real gate, real processes and a real SQLite file. */
// Longer than 300 lines: one stack goes through the tests in their order.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import { editPins, type PinEdit } from "../../../config/edit.ts";
import { GATE_PROCESS, stateFile, gateFolder, liveFile, processFolder, type Site } from "../../../config/site.ts";
import { hashFolder } from "../../../processes/artefact.ts";
import { observeProcess, stopProcess } from "../../../processes/process.ts";
import { rollOut } from "../../../scripts/pulumi/roll-out.ts";
import { openStack, stackFile, type OpenStack } from "../../../scripts/pulumi/stack.ts";
import { previewOf } from "../../../scripts/pulumi/preview.ts";
import { newFolder } from "../../workloads/shop.ts";
import { freePort } from "../../support/free-port.ts";
import { update, type State } from "./graph-engine.ts";
import { engine } from "./in-process.ts";

vi.mock("../../../scripts/pulumi/pulumi-run.ts", async () => (await import("./in-process.ts")).pulumiRun);
vi.mock("../../../provider/session.ts", async () => (await import("./in-process.ts")).session);

/** What it does wrong is asked of files beside it, while it runs. */
const PROGRAM = `import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
const { PORT, RELEASE, FOLDER, DATABASE_URL } = process.env;
const told = (name) => { const file = FOLDER + "/" + name + "-" + RELEASE; return existsSync(file) ? Number(readFileSync(file, "utf8")) : null; };
const ends = told("ends-after-ms");
if (ends !== null) setTimeout(() => { console.error("out of memory"); process.exit(3); }, ends);
let asked = 0;
createServer((_, answer) => {
  const healthy = told("healthy-answers");
  const wrong = !existsSync(DATABASE_URL) || (healthy !== null && asked++ >= healthy);
  if (told("errors") !== null) console.error("connection refused");
  answer.writeHead(wrong ? 503 : 200).end(wrong ? "no database" : '{"status":"ok"}');
}).listen(Number(PORT), "127.0.0.1");
`;
const WORKER = `import { existsSync } from "node:fs";
const file = process.env.FOLDER + "/worker-ends-" + process.env.RELEASE;
setInterval(() => existsSync(file) && process.exit(4), 50);
`;

function definitionText(folder: string, environment: string, more = ""): string {
  return `import { countIsRight } from "${join(import.meta.dirname, "../../../config/system/counting.ts")}";
const env = ({ release }) => ({ RELEASE: release, FOLDER: ${JSON.stringify(folder)} });
export const definition = {
  name: "shop", title: "Shop", folder: ${JSON.stringify(folder)},
  services: {
    api: { kind: "service", title: "API", entry: "main.ts", databases: [], health: { path: "/health", body: '"ok"', timeoutMs: 2_000 }, stopGraceMs: 2_000,
      environment: (context) => ({ ...env(context), PORT: String(context.port), ${environment} }) },
    worker: { kind: "worker", title: "Worker", entry: "main.ts", databases: [], stopGraceMs: 2_000, environment: env },
  },
  stopOrder: ["worker", "api"],
  databases: { shop: { engine: "sqlite", ledger: "backout", migrations: [{ name: "1_items", path: "1_items" }], tables: ["items"], principalTable: "items" } },
  listeners: { api: { service: "api" } },
  effects: [], defaultScope: "application",
  scopes: { application: { title: "The application", useWhen: "it is broken", budgetSeconds: 60, phaseBudgets: {}, pins: { release: "to" },
    checks: ["answers", "count", "error-log"] } },
  checks: [
    { id: "answers", title: "The API answers", run: async (context) => {
      const { status } = await context.fetch(context.url("api") + "/");
      return { status: status === 200 ? "passed" : "failed", detail: "HTTP " + status };
    } },
    { id: "count", title: "Rows are as many as before", run: async (context) => {
      const before = context.baseline?.counts["items"];
      if (before === undefined) return { status: "skipped", detail: "nothing was counted" };
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { rows } = context.sqlite("shop").prepare("SELECT count(*) AS rows FROM items").get();
      return { status: countIsRight(context, rows, before) ? "passed" : "failed", detail: rows + " of " + before + ", " + context.counting };
    } },
    { id: "error-log", title: "Nothing in the error logs", run: async (context) => {
      const lines = [...(await context.errorLog("api", 100)), ...(await context.errorLog("worker", 100))];
      return { status: lines.length === 0 ? "passed" : "failed", detail: lines.length + " lines" };
    } },
  ],
  maintenanceMessage: "Closed", retryAfterSeconds: 1, ${more}
};
`;
}

const URL = `DATABASE_URL: context.databaseUrl("shop")`;
const sites: Site[] = [];
let folder: string;
let state: State;
const opened = (): Promise<OpenStack> => openStack(stackFile("test", folder));

// Before the folder goes, by which they are found.
afterEach(async () => {
  for (const site of sites.splice(0)) {
    for (const name of ["api", "worker"]) await stopProcess(processFolder(site), name, 2_000).catch(() => undefined);
    if (existsSync(gateFolder(site))) await stopProcess(gateFolder(site), GATE_PROCESS, 5_000);
  }
});

async function project(): Promise<void> {
  folder = newFolder();
  state = new Map();
  mkdirSync(join(folder, "stacks"));
  mkdirSync(join(folder, "1_items"));
  writeFileSync(join(folder, "1_items", "migration.sql"), "CREATE TABLE items (id integer PRIMARY KEY, name text);");
  program("first.ts", definitionText(folder, URL));
  const releases: Record<string, unknown> = {};
  for (const release of ["v1.0.0", "v2.0.0"]) {
    const services: Record<string, unknown> = {};
    for (const [service, text] of [
      ["api", PROGRAM],
      ["worker", WORKER],
    ] as const) {
      const path = join(release, service);
      mkdirSync(join(folder, path), { recursive: true });
      writeFileSync(join(folder, path, "main.ts"), `// ${release}\n${text}`);
      services[service] = { path, sha256: await hashFolder(join(folder, path)) };
    }
    releases[release] = { schema: { shop: "1_items" }, services };
  }
  const config = {
    "backout:ports": { api: await freePort(), "api-upstream": await freePort() },
    "backout:releases": releases,
    "backout:release": "v1.0.0",
    "backout:standby": "never",
  };
  writeFileSync(join(folder, "stacks", "Pulumi.test.yaml"), stringify({ encryptionsalt: "none", config }));
  engine.up = async (runId) => {
    engine.runId = runId;
    const done = await update(await opened(), state);
    for (const state of engine.states.splice(0)) await state.end();
    return done;
  };
  sites.push((await opened()).site);
}

/** What a person does with the stack file and `up`. */
async function up(...edits: PinEdit[]) {
  const before = await opened();
  return rollOut(before, editPins(before.text, edits), { runId: `run-${Math.random()}`, reason: null });
}
const release = (value: string): PinEdit => ({ path: ["release"], value });
const served = async (): Promise<number> => (await fetch(`http://127.0.0.1:${(await opened()).site.ports["api"]}/`)).status;
const pid = async (name: string): Promise<number | null> => observeProcess(processFolder((await opened()).site), name).pid;
/** Another program, which was not loaded yet. */
function program(main: string, text: string): void {
  writeFileSync(join(folder, main), text);
  writeFileSync(join(folder, "Pulumi.yaml"), `name: shop\nmain: ${main}\nruntime: nodejs\nstackConfigDir: stacks\n`);
}
const say = (name: string, value = ""): void => writeFileSync(join(folder, name), value);
const unsay = (name: string): void => rmSync(join(folder, name));
async function rollouts(): Promise<number> {
  const state = await SqliteState.create(stateFile((await opened()).site));
  return ((await state.lastRollout())?.epoch ?? 0) + 0 * (await state.end().then(() => 0));
}

beforeEach(async () => {
  await project();
  expect(await up()).toMatchObject({ ok: true, failure: null });
}, 60_000);

describe("services stay up", () => {
  test("a release that ends 2 s after its start is not let in; without the cause the same command opens", async () => {
    say("ends-after-ms-v2.0.0", "2000");
    const failed = await up(release("v2.0.0"));
    expect(failed).toMatchObject({ ok: false, refused: false });
    expect(failed.failure).toMatch(
      /^verify: services stay up failed: api was healthy when it was started and has ended since; .*out of memory/s,
    );
    expect(await served()).toBe(503);
    unsay("ends-after-ms-v2.0.0");
    expect(await up()).toMatchObject({ ok: true, failure: null, to: "v2.0.0" });
    expect(await served()).toBe(200);
  });

  test("one that is healthy for some answers and then is not, and a worker that ends, are not let in either", async () => {
    say("healthy-answers-v2.0.0", "4");
    expect((await up(release("v2.0.0"))).failure).toMatch(
      /^verify: services stay up failed: api was healthy when it was started and is not any more: it answers 503 no database/,
    );
    expect(await served()).toBe(503);
    unsay("healthy-answers-v2.0.0");
    expect(await up()).toMatchObject({ ok: true, failure: null });
    say("worker-ends-v1.0.0");
    expect((await up(release("v1.0.0"))).failure).toMatch(
      /^verify: services stay up failed: worker was healthy when it was started and has ended since/,
    );
    unsay("worker-ends-v1.0.0");
    expect(await up()).toMatchObject({ ok: true, failure: null });
  });

  test("a crashed service that an update starts again on an open stack has to stay up, too", async () => {
    process.kill((await pid("api"))!, "SIGKILL");
    say("ends-after-ms-v1.0.0", "1000");
    expect((await up()).failure).toMatch(/^start: services stay up failed: api was healthy when it was started and has ended since/);
    unsay("ends-after-ms-v1.0.0");
    expect(await up()).toMatchObject({ ok: true, failure: null });
    expect(await served()).toBe(200);
  });
});

describe("what a service is started with", () => {
  test("a failed update whose definition is corrected starts the sick process anew; the preview names what changed", async () => {
    program("wrong.ts", definitionText(folder, `DATABASE_URL: "/nowhere/shopp.db"`));
    expect((await up(release("v2.0.0"))).failure).toMatch(/^start: api v2\.0\.0 failed: .*503 no database/);
    const sick = await pid("api");
    program("corrected.ts", definitionText(folder, URL));
    expect(await up()).toMatchObject({ ok: true, failure: null });
    expect(await pid("api")).not.toBe(sick);
    expect(await served()).toBe(200);
  });

  test("on an open stack another environment is a rollout that restarts what it concerns, and nothing else", async () => {
    const before = { api: await pid("api"), worker: await pid("worker"), epoch: await rollouts() };
    const now = await opened();
    program("another.ts", definitionText(folder, `${URL}, EXTRA: "1"`));
    const { preview } = await previewOf(now, await opened(), false);
    expect(preview).toMatchObject({ changes: ["api: environment changed: EXTRA"], stops: ["api"] });
    expect(await up()).toMatchObject({ ok: true });
    expect(await pid("api")).not.toBe(before.api);
    expect([await pid("worker"), await rollouts()]).toEqual([before.worker, before.epoch + 1]);
    expect(await up()).toMatchObject({ ok: true, failure: null });
    expect(await rollouts(), "nothing is left to be done").toBe(before.epoch + 1);
  });

  test("another port of the gate is no rollout, and told before", async () => {
    const [was, port] = [(await opened()).site.ports["api"]!, await freePort()];
    const ahead = async (...edits: PinEdit[]): Promise<string[]> => {
      const now = await opened();
      return (await previewOf(now, await openStack(now, editPins(now.text, edits)), false)).drifted;
    };
    const edit: PinEdit = { path: ["ports", "api"], value: port };
    expect(await ahead()).toEqual([]);
    expect(await ahead(edit)).toEqual([`the traffic gate listens on port ${was} for api, and ${port} is declared; run \`up\` to fix it`]);
    expect(await up(edit)).toMatchObject({ ok: true });
    expect(await ahead()).toEqual([]);
  });

  test("a secret that is not set is refused with nothing touched; one that is rotated restarts its service and is nowhere", async () => {
    const before = { api: await pid("api"), epoch: await rollouts() };
    program("asking.ts", definitionText(folder, `${URL}, KEY: context.secret("stripe")`));
    const refused = await up();
    expect(refused).toMatchObject({ ok: false, refused: true });
    expect(refused.failure).toMatch(/the secret "stripe" is not set: set the environment variable BACKOUT_SECRET_STRIPE/);
    expect([await pid("api"), await rollouts(), await served()]).toEqual([before.api, before.epoch, 200]);
    try {
      process.env["BACKOUT_SECRET_STRIPE"] = "sk_live_123";
      expect(await up()).toMatchObject({ ok: true });
      const started = await pid("api");
      expect(started).not.toBe(before.api);
      process.env["BACKOUT_SECRET_STRIPE"] = "sk_live_456";
      expect(await up()).toMatchObject({ ok: true, failure: null });
      expect(await pid("api")).not.toBe(started);
      Reflect.deleteProperty(process.env, "BACKOUT_SECRET_STRIPE");
      expect((await up()).failure).toMatch(/BACKOUT_SECRET_STRIPE was set when this stack was last updated/);
    } finally {
      Reflect.deleteProperty(process.env, "BACKOUT_SECRET_STRIPE");
    }
    const { site } = await opened();
    for (const file of [stateFile(site), `${stateFile(site)}-wal`].filter((path) => existsSync(path)))
      expect(readFileSync(file, "latin1")).not.toMatch(/sk_live/);
    expect(JSON.stringify([...state])).not.toMatch(/sk_live/);
  });
});

describe("an attempt to verify judges what it caused", () => {
  test("errors of the attempt that failed are not the next one's; errors that come again are", async () => {
    say("errors-v2.0.0", "1");
    expect((await up(release("v2.0.0"))).failure).toMatch(/^verify: 1 of 3 checks failed: error-log \(/);
    expect((await up()).failure, "the cause is still there").toMatch(/^verify: 1 of 3 checks failed: error-log \(/);
    unsay("errors-v2.0.0");
    expect(await up()).toMatchObject({ ok: true, failure: null });
  });

  test("of a service that the rollout leaves alone nothing counts that it wrote before", async () => {
    writeFileSync(join(processFolder((await opened()).site), "worker.err.log"), "an error of yesterday\n", { flag: "a" });
    const { worker, api } = { worker: await pid("worker"), api: await pid("api") };
    expect(await up({ path: ["services", "api", "restart"], value: 1 })).toMatchObject({ ok: true, failure: null });
    expect(await pid("api")).not.toBe(api);
    expect(await pid("worker")).toBe(worker);
  });

  test("others who add rows while the data is not closed fail nothing; rows that go are told, and judged anew by the same command", async () => {
    const { site } = await opened();
    expect(await up(release("v2.0.0"))).toMatchObject({ ok: true });
    const batch = new DatabaseSync(liveFile(site, "shop"), { timeout: 5_000 });
    const insert = batch.prepare("INSERT INTO items (name) VALUES ('batch')");
    for (let row = 0; row < 5; row++) insert.run();
    const adding = setInterval(() => insert.run(), 50);
    const back = await up(release("v1.0.0"));
    clearInterval(adding);
    expect(back).toMatchObject({ ok: true, failure: null });
    expect(back.checks.find(({ name }) => name === "count")).toMatchObject({
      status: "passed",
      detail: expect.stringMatching(/at least$/) as string,
    });

    expect(await up(release("v2.0.0"), { path: ["newWrites"], value: "export" })).toMatchObject({ ok: false });
    batch.close();
    expect(await up()).toMatchObject({ ok: true, failure: null });
    const taking = new DatabaseSync(liveFile(site, "shop"), { timeout: 5_000 });
    // More than are taken while the update runs, however long that is.
    taking.exec(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO items (name) SELECT 'more' FROM n",
    );
    const timer = setInterval(() => taking.exec("DELETE FROM items WHERE id = (SELECT max(id) FROM items)"), 50);
    expect((await up(release("v1.0.0"))).failure).toMatch(/^verify: 1 of 3 checks failed: count \(/);
    clearInterval(timer);
    taking.close();
    expect(await up()).toMatchObject({ ok: true, failure: null });
  });
});
