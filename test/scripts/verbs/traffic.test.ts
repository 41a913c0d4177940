/** How users come to a system and which files verify it, with a real nginx, a real gate, real processes and a real SQLite file. */
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { editPins, type PinEdit } from "../../../config/edit.ts";
import { GATE_PROCESS, gateFolder, processFolder } from "../../../config/site.ts";
import { takeFreePorts } from "../../../drill/ports.ts";
import { hashFolder } from "../../../processes/artefact.ts";
import { stopProcess } from "../../../processes/process.ts";
import { runProgram } from "../../../processes/run-program.ts";
import { previewOf } from "../../../scripts/pulumi/preview.ts";
import { rollOut } from "../../../scripts/pulumi/roll-out.ts";
import { openStack, stackFile, type OpenStack } from "../../../scripts/pulumi/stack.ts";
import { selfSigned } from "../../traffic/certificate.ts";
import { NO_NGINX, startNginx, watchAnswers, type Nginx } from "../../traffic/nginx.ts";
import { newFolder } from "../../workloads/shop.ts";
import { update, type State } from "./graph-engine.ts";
import { engine } from "./in-process.ts";

vi.mock("../../../scripts/pulumi/pulumi-run.ts", async () => (await import("./in-process.ts")).pulumiRun);
vi.mock("../../../provider/session.ts", async () => (await import("./in-process.ts")).session);

const PROGRAM = `import { createServer } from "node:http";
createServer((_, answer) => answer.end(process.env.RELEASE)).listen(Number(process.env.PORT), "127.0.0.1");
`;
const definitionText = (folder: string, more: string): string => `export const definition = {
  name: "shop", title: "Shop", folder: ${JSON.stringify(folder)},
  services: { api: { kind: "service", title: "API", entry: "main.ts", databases: [], health: { path: "/health", timeoutMs: 20_000 }, stopGraceMs: 2_000,
    environment: ({ port, release }) => ({ PORT: String(port), RELEASE: release }) } },
  stopOrder: ["api"],
  databases: { shop: { engine: "sqlite", ledger: "backout", migrations: [{ name: "1_items", path: "1_items" }], tables: ["items"], principalTable: "items" } },
  listeners: { api: { service: "api" } },
  effects: [], checks: [], defaultScope: "application",
  scopes: { application: { title: "Application", useWhen: "it is broken", budgetSeconds: 60, phaseBudgets: {}, pins: { release: "to" }, checks: [] } },
  maintenanceMessage: "Closed", retryAfterSeconds: 1, settleSeconds: 0, ${more}
};
`;

let folder: string;
let state: State;
let ports: { api: number; upstream: number; users: number };
let nginx: Nginx | null = null;
let programs = 0;
const opened = (): Promise<OpenStack> => openStack(stackFile("test", folder));

/** Another program, which was not loaded yet. */
function define(more = "", change: (text: string) => string = (text) => text): void {
  const main = `program-${(programs += 1)}.ts`;
  writeFileSync(join(folder, main), change(definitionText(folder, more)));
  writeFileSync(join(folder, "Pulumi.yaml"), `name: shop\nmain: ${main}\nruntime: nodejs\nstackConfigDir: stacks\n`);
}
function check(name: string, text: string): void {
  writeFileSync(join(folder, "verify", name), text);
  if (text.startsWith("#!")) chmodSync(join(folder, "verify", name), 0o755);
}

beforeEach(async () => {
  folder = newFolder();
  state = new Map();
  for (const name of ["stacks", "1_items", "verify"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "1_items", "migration.sql"), "CREATE TABLE items (id integer PRIMARY KEY, name text);");
  define();
  const [api, upstream, users] = await takeFreePorts(3);
  ports = { api: api!, upstream: upstream!, users: users! };
  const releases: Record<string, unknown> = {};
  for (const release of ["v1.0.0", "v2.0.0"]) {
    const path = join(release, "api");
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, "main.ts"), `// ${release}\n${PROGRAM}`);
    releases[release] = { schema: { shop: "1_items" }, services: { api: { path, sha256: await hashFolder(join(folder, path)) } } };
  }
  const config = {
    "backout:ports": { api: ports.api, "api-upstream": ports.upstream },
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
});

afterEach(async () => {
  await nginx?.end();
  nginx = null;
  const { site } = await opened();
  await stopProcess(processFolder(site), "api", 2_000).catch(() => undefined);
  if (existsSync(gateFolder(site))) await stopProcess(gateFolder(site), GATE_PROCESS, 5_000);
});

/** What a person does with the stack file and `up`. */
async function up(...edits: PinEdit[]) {
  const before = await opened();
  return rollOut(before, editPins(before.text, edits), { runId: `run-${Math.random()}`, reason: null });
}
async function preview(...edits: PinEdit[]) {
  const now = await opened();
  return previewOf(now, await openStack(now, editPins(now.text, edits)), false);
}
const release = (value: string): PinEdit => ({ path: ["release"], value });
const DONE = { ok: true, failure: null };
const said = async (url: string): Promise<string> => (await fetch(url)).text();

test("a real nginx keeps users out from before anything stops until it is verified", { timeout: 240_000 }, async (context) => {
  mkdirSync(join(folder, "nginx"));
  // It goes to the service itself: the gate is only for checks.
  nginx = await startNginx(join(folder, "nginx"), { port: ports.users, upstreamPort: ports.upstream });
  if (nginx === null) return context.skip(NO_NGINX);
  const { url, site } = nginx;
  const script = JSON.stringify(site).slice(1, -1);
  const traffic = (more = ""): void =>
    define(`traffic: { open: [${script}, "open"], close: [${script}, "close"], check: "${url}/health", timeoutSeconds: 20, ${more} }`);
  traffic();
  expect(await up()).toMatchObject(DONE);
  const watched = watchAnswers(url);
  expect(await up(release("v2.0.0"))).toMatchObject(DONE);
  const answers = await watched();
  expect([...new Set(answers)]).toEqual(["200 v1.0.0", "503", "200 v2.0.0"]);
  // While nginx reloads, its workers of before and after answer side by side: between the last old answer and the first new one users are out.
  expect(answers.slice(answers.lastIndexOf("200 v1.0.0") + 1, answers.indexOf("200 v2.0.0"))).toEqual(["503"]);
  expect((await preview(release("v1.0.0"))).preview).toMatchObject({ usersKeptOut: true, keptOutBy: `${site[0]} close` });

  const unseen = watchAnswers(url);
  traffic('close: ["sh", "-c", "echo no such site >&2; exit 3"]');
  const unclosed = await up(release("v1.0.0"));
  expect(unclosed).toMatchObject({ ok: false, refused: true });
  expect(unclosed.failure).toMatch(
    /ended with exit code 3: no such site\. Nothing was stopped and nothing was changed\. Run `sh -c .*` yourself/,
  );
  expect(await unseen()).toEqual(["200 v2.0.0"]);

  traffic('open: ["sh", "-c", "exit 4"]');
  const unopened = await up(release("v1.0.0"));
  expect(unopened.failure).toMatch(
    /users were not let in: .*exit code 4\. Everything runs and is verified\. Run `sh -c 'exit 4'` yourself/,
  );
  expect((await fetch(url)).status).toBe(503);
  traffic();
  expect(await up()).toMatchObject(DONE);
  expect(await said(url)).toBe("v1.0.0");

  // Somebody closes it by hand.
  await runProgram({ command: [...site, "close"], folder, environment: {}, timeoutMs: 20_000 });
  await vi.waitUntil(async () => (await fetch(url)).status === 503, { timeout: 20_000 });
  expect((await preview()).drifted).toEqual([expect.stringMatching(/users are kept out by the balancer, and should be let in/)]);
  expect(await up()).toMatchObject(DONE);
  expect(await said(url)).toBe("v1.0.0");
});

test("without any traffic of backout's users come to what runs; the preview says what they see", async () => {
  define('traffic: "none"');
  expect(await up()).toMatchObject(DONE);
  expect((await preview(release("v2.0.0"))).preview).toMatchObject({ usersKeptOut: true, keptOutBy: null, withoutAnswer: ["api"] });
  const watched = watchAnswers(`http://127.0.0.1:${ports.upstream}/`);
  expect(await up(release("v2.0.0"))).toMatchObject(DONE);
  const seen = await watched();
  expect([seen[0], seen.at(-1)]).toEqual(["200 v1.0.0", "200 v2.0.0"]);
  expect(seen.filter((answer) => !/^(?:200 v[12]|no answer)/.test(answer))).toEqual([]);
});

test("the gate listens in public by HTTPS as well, where its files are right", async (context) => {
  const certificate = selfSigned(folder, "shop");
  if (certificate === null) return context.skip("no openssl on this machine");
  const traffic = (key: string): string => `traffic: { listen: "0.0.0.0:${ports.users}", tls: { certificate: "shop.crt", key: "${key}" } }`;
  expect(await up()).toMatchObject(DONE);
  define(traffic("none.key"));
  expect((await up()).failure).toMatch(/shop\.crt and key .*none\.key cannot be used: ENOENT/);
  define(traffic("shop.key"));
  expect(await up()).toMatchObject(DONE);
  const { request } = await import("node:https");
  const status = await new Promise<number>((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: ports.users, ca: certificate.text, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on("error", reject).end();
  });
  expect(status).toBe(200);
  expect(await said(`http://127.0.0.1:${ports.api}/`)).toBe("v1.0.0");
});

/** Driven by the program: started at whatever port is free, which is in a file. */
const CHOOSES = (folder: string): string => `
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
const file = ${JSON.stringify(join(folder, "chosen"))};
const server = 'require("node:http").createServer((_, answer) => answer.end(process.env.RELEASE)).listen(0, "127.0.0.1", function () { require("node:fs").writeFileSync(process.env.FILE, JSON.stringify({ pid: process.pid, port: this.address().port, release: process.env.RELEASE })) })';
const seen = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null);
const control = {
  stop: async () => { const at = seen(); if (at !== null) { process.kill(at.pid); rmSync(file); } },
  start: async ({ release }) => { spawn(process.execPath, ["-e", server], { detached: true, stdio: "ignore", env: { RELEASE: release, FILE: file } }).unref(); },
  observe: async () => { const at = seen(); return at === null ? { running: false } : { running: true, port: at.port, release: at.release, identity: String(at.pid) }; },
};
`;

test("a service whose control sees another port at each start is reached there; one that moved by itself is told and followed", async () => {
  const chosen = (): { pid: number; port: number } =>
    JSON.parse(readFileSync(join(folder, "chosen"), "utf8")) as { pid: number; port: number };
  define(
    "",
    (text) =>
      `${CHOOSES(folder)}${text.replace(/services: \{ api: \{[^]*?\}\) \} \},/, 'services: { api: { kind: "external", title: "API", databases: [], health: { path: "/health", timeoutMs: 20_000 }, stopGraceMs: 2_000, control } },')}`,
  );
  const gate = `http://127.0.0.1:${ports.api}/`;
  try {
    expect(await up()).toMatchObject(DONE);
    const first = chosen().port;
    expect([await said(gate), await said(`http://127.0.0.1:${first}/`)]).toEqual(["v1.0.0", "v1.0.0"]);
    expect(await up(release("v2.0.0"))).toMatchObject(DONE);
    expect(chosen().port).not.toBe(first);
    expect(await said(gate)).toBe("v2.0.0");
    expect((await preview()).drifted).toEqual([]);
    // Somebody starts it again: it is somewhere else.
    process.kill(chosen().pid);
    rmSync(join(folder, "chosen"));
    await runProgram({
      command: [process.execPath, "--input-type=module", "-e", `${CHOOSES(folder)}\nawait control.start({ release: "v2.0.0" });`],
      folder,
      environment: {},
      timeoutMs: 20_000,
    });
    await vi.waitUntil(() => existsSync(join(folder, "chosen")), { timeout: 20_000 });
    expect((await fetch(gate)).status).toBe(502);
    expect((await preview()).drifted).toEqual([expect.stringMatching(/^api does not run as pinned/)]);
    expect(await up()).toMatchObject(DONE);
    expect(await said(gate)).toBe("v2.0.0");
  } finally {
    process.kill(chosen().pid);
  }
});

test("a public port that another process has is refused by the preview of a verb, where it is new", async () => {
  expect(await up()).toMatchObject(DONE);
  expect((await preview(release("v2.0.0"))).refused).toEqual([]);
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const refused = [expect.stringMatching(new RegExp(`^"the traffic gate for api" cannot be started: port ${port} is held by`)) as string];
  try {
    expect((await preview({ path: ["ports", "api"], value: port })).refused).toEqual(refused);
    expect((await preview({ path: ["ports", "api"], value: port }, release("v2.0.0"))).refused).toEqual(refused);
  } finally {
    other.close();
  }
});

test("files of checks are found by themselves, and one that fails keeps users out", async () => {
  check("items.sql", "-- title: No bad item\nSELECT id FROM items WHERE name = 'bad';\n");
  check(
    "answers.mjs",
    `const { urls, headers, release } = JSON.parse(await stdin());
const said = await (await fetch(urls.api, { headers })).text();
echo(JSON.stringify({ ok: said === release, message: "it says " + said }));
`,
  );
  expect(await up()).toMatchObject({
    ...DONE,
    checks: [
      { name: "answers", status: "passed", detail: "it says v1.0.0" },
      { name: "items", status: "passed", detail: "no row violates it" },
    ],
  });
  check("not-yet.sh", '#!/bin/sh\n[ "$BACKOUT_RELEASE" != v2.0.0 ] || { echo "not for this shop"; exit 1; }\n');
  define();
  expect((await up(release("v2.0.0"))).failure).toMatch(
    /^verify: 1 of 3 checks failed: not-yet \(it ended with exit code 1: not for this shop\)/,
  );
  expect((await fetch(`http://127.0.0.1:${ports.api}/`)).status).toBe(503);
  rmSync(join(folder, "verify", "not-yet.sh"));
  define();
  expect(await up()).toMatchObject(DONE);
  expect(await said(`http://127.0.0.1:${ports.api}/`)).toBe("v2.0.0");
});
