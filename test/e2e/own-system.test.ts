/**
 * A system of a user's own, described by nothing but the program: a service that is a resource of another provider, one inside a component of the
 * user's, a process and a site. Deployed, rolled back, undone, killed in the middle, repaired and destroyed by the verbs and by plain Pulumi.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { liveFile, type Site } from "../../config/site.ts";
import { makeEphemeralStack } from "../../drill/ephemeral-stack.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { instancesOf, runs, stopInstance } from "./own-system/tiny/instances.ts";
import { engineOf } from "./stand/engine.ts";
import { filesBelow, PROJECT } from "./stand.ts";

const PROGRAM = `import { createServer } from "node:http";
const { PORT = "0", RELEASE = "" } = process.env;
createServer((request, answer) => answer.end(request.url === "/healthz" ? "ok" : RELEASE)).listen(Number(PORT), "127.0.0.1");
`;
/** Newest migration by release. */
const RELEASES = { v1: "1_orders", v2: "2_notes" };

let folder: string;
let instances: string;
let site: Site;
let engine: ReturnType<typeof engineOf>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-own-"));
  chmodSync(folder, 0o755);
  instances = join(folder, "instances");
  changeBy("");
  const source = join(folder, "source");
  mkdirSync(join(source, "stacks"), { recursive: true });
  const provider = (name: string, path: string): string => `    - name: ${name}\n      path: ${path}\n`;
  const providers = provider("backout", join(PROJECT, "provider")) + provider("tiny", join(import.meta.dirname, "own-system", "tiny"));
  const runtime = "runtime:\n  name: nodejs\n  options:\n    typescript: false\n";
  const main = join(import.meta.dirname, "own-system", "program.ts");
  writeFileSync(
    join(source, "Pulumi.yaml"),
    `name: shop\nmain: ${main}\n${runtime}stackConfigDir: stacks\nplugins:\n  providers:\n${providers}`,
  );
  const releases: Record<string, unknown> = {};
  for (const [release, schema] of Object.entries(RELEASES)) {
    const services: Record<string, unknown> = {};
    for (const service of ["api", "jobs", "worker", "web"]) {
      const path = join(folder, "builds", release, service);
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, service === "web" ? "index.html" : "main.ts"), service === "web" ? `<p>${release}</p>` : PROGRAM);
      services[service] = { path, sha256: await hashFolder(path) };
    }
    releases[release] = { schema: { shop: schema }, services };
  }
  const config = {
    "shop:instances": instances,
    "shop:change": join(folder, "change.mjs"),
    "backout:ports": { api: 8401, "api-upstream": 18401, web: 8402 },
    "backout:releases": releases,
    "backout:release": "v1",
    "backout:standby": "never",
  };
  writeFileSync(join(source, "stacks", "Pulumi.dev.yaml"), JSON.stringify({ config }, null, 2));
  const pulumi = await ensureEngine({ log: () => undefined });
  const stack = await makeEphemeralStack({ project: source, stack: "dev", folder: join(folder, "project"), name: "own", engine: pulumi });
  const opened = await openStack(stackFile("own", stack.folder));
  site = { ...opened.site, home: stack.home };
  engine = engineOf({ stack, engine: pulumi, site, definition: opened.definition, folder: stack.folder });
});
afterAll(async () => {
  await engine?.pulumi(["destroy", "--yes", "--skip-preview"]).catch(() => undefined);
  for (const instance of instances === undefined ? [] : instancesOf(instances)) await stopInstance(instance);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What the program declares, changed by statements over `args`. */
const changeBy = (statements: string): void =>
  writeFileSync(join(folder, "change.mjs"), `export function change(args) { ${statements} }\n`);
const says = async (service: string): Promise<string> => (await fetch(`http://127.0.0.1:${site.ports[service]}/`)).text();
const running = (service: string): string[] =>
  instancesOf(instances, service)
    .filter(runs)
    .map(({ labels }) => labels["backout.release"]!);

function inFile<T>(work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(liveFile(site, "shop"), { timeout: 5000 });
  try {
    return work(database);
  } finally {
    database.close();
  }
}
const order = (what: string): void => inFile((database) => void database.prepare("INSERT INTO orders (what) VALUES (?)").run(what));
const orders = (): unknown[] =>
  inFile((database) => database.prepare("SELECT what FROM orders ORDER BY id").all()).map((row) => row["what"]);

/** By what finds it: the form of the definition, its rules, the stack's config, the plan. Of each, everything at once in one preview. */
const WRONG: [by: string, change: string, told: RegExp[]][] = [
  [
    "its form",
    `args.services.api.kind = "sevice"; args.services.web.helth = "/";
     args.databases.shop.ledger = "alembik"; args.maintenanceMessage = undefined; args.stopOrder = undefined; args.scopes = {};
     args.secrets = { stripe: { genrate: true } }; args.ports = { api: 84010 };`,
    [
      /definition\.services\.api\.kind: "sevice" is not allowed: must be `service` or `worker` or `static` or `external`/,
      /definition\.services\.web\.helth: "\/" is not allowed: unknown key; known are .*did you mean `health`/,
      /definition\.databases\.shop\.ledger: "alembik" is not allowed: must be `auto` or .*`alembic`/,
      /definition\.maintenanceMessage is missing: must be a string/,
      /definition\.stopOrder is missing: must be a list/,
      /definition\.scopes: \{\} is not allowed: must name at least one scope/,
      /definition\.secrets\.stripe\.genrate: .* is not allowed: unknown key; known are generate/,
      /definition\.ports\.api: 84010 is not allowed: must be a port from 1 to 65535/,
    ],
  ],
  [
    "its rules",
    `args.listeners = { api: { service: "apj" } }; args.ports = { ap: 8401 }; args.services.api.databases = ["shpo"]; args.stopOrder = ["wroker"];
     args.scopes = { code: { title: "", useWhen: "", budgetSeconds: 1, pins: { data: "current", services: { wroker: {} } }, checks: ["helth"] } };
     args.defaultScope = "cod"; args.effects = [{ service: "jbos", title: "", database: "shpo", countSql: "x", requiresTable: "orders" }];
     args.databases.shop.tables = ["orders"]; args.databases.shop.principalTable = "odrers";`,
    [
      /definition\.listeners\.api\.service: "apj" is not allowed: no service of the definition, only api, jobs, worker, web.*`api`/,
      /definition\.ports\.ap: "ap" is not allowed: no port of the definition, only api, /,
      /definition\.services\.api\.databases\.0: "shpo" is not allowed: no database of the definition, only shop/,
      /definition\.stopOrder\.0: "wroker" is not allowed: no service .*did you mean `worker`/,
      /definition\.scopes\.code\.checks\.0: "helth" is not allowed: no check of the definition, only .*did you mean `health`/,
      /definition\.scopes\.code\.pins\.services: "wroker" is not allowed: no service .*did you mean `worker`/,
      /definition\.defaultScope: "cod" is not allowed: no scope of the definition, only code \(did you mean `code`/,
      /definition\.effects\.0\.service: "jbos" is not allowed: no service of the definition/,
      /definition\.effects\.0\.database: "shpo" is not allowed: no database of the definition, only shop/,
      /definition\.databases\.shop\.principalTable: "odrers" is not allowed: no table of the definition, only orders/,
    ],
  ],
  [
    "the stack's config",
    `args.services.worker.health = { tcp: true, timeoutMs: 1 };`,
    [
      /backout:ports\.worker is missing: shop needs it: declare a free port/,
      /backout:services\.aip: "aip" is not allowed: shop has no such service, only api, jobs, worker, web/,
      /backout:scope: "ful" is not allowed: shop has no such scope, only code, full/,
    ],
  ],
  [
    "the plan",
    `args.services.worker.run.entry = "mian.ts"; args.secrets = { stripe: {}, session: { generate: true } };
     args.services.worker.environment = ({ secret, databaseUrl }) => ({ KEY: secret("stirpe"), SESSION: secret("session"), DATA: databaseUrl("shpo") });
     args.databases.shop.tables = ["odrers"]; args.effects = [{ service: "api", title: "", database: "shop", countSql: "x", requiresTable: "order" }];`,
    [
      /definition\.services\.worker\.entry: "mian\.ts" not found in .*: correct the name/,
      /the secret "stripe" is not set: set the environment variable BACKOUT_SECRET_STRIPE/,
      /the secret "stirpe" is not set \(did you mean `stripe`\?\)/,
      /definition\.services\.worker\.environment: the database "shpo" is none of shop, only shop/,
      /definition\.databases\.shop\.tables\.0: "odrers" is not allowed: neither shop nor a migration of it has this table, only .*`orders`/,
      /definition\.effects\.0\.requiresTable: "order" is not allowed: neither shop nor a migration .*did you mean `orders`/,
    ],
  ],
];

test.each(WRONG)(
  "a definition that is wrong by %s is refused in the preview, by path, value and what is allowed",
  async (by, change, told) => {
    const before = filesBelow(site.home);
    changeBy(change);
    const config = by === "the stack's config";
    const { code, output } = await engine.preview([
      { path: ["services"], value: config ? { aip: { run: "off" } } : undefined },
      { path: ["scope"], value: config ? "ful" : undefined },
    ]);
    expect(code).not.toBe(0);
    for (const each of told) expect(output).toMatch(each);
    expect(output).not.toMatch(/^\s+at .+:\d+:\d+|unhandled|the secret "session"/im);
    expect(filesBelow(site.home)).toEqual(before);
    changeBy("");
    engine.pin([
      { path: ["services"], value: undefined },
      { path: ["scope"], value: undefined },
    ]);
  },
);

test("plain Pulumi makes it: the user's resources run between the two ends of backout", { timeout: 600_000 }, async () => {
  const preview = await engine.preview();
  expect(preview.output).toMatch(/tiny:index:Server/);
  expect(preview.output).toMatch(/backout:index:Verification/);
  expect(instancesOf(instances)).toEqual([]);

  await engine.upWell();
  expect([await says("api"), await says("web"), running("api"), running("jobs")]).toEqual(["v1", "<p>v1</p>", ["v1"], ["v1"]]);
  order("first");
});

test("a release goes forward by verb, and back with its data; an undo brings the newer one again", { timeout: 600_000 }, async () => {
  expect(await engine.verb("deploy", "v2", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  expect([await says("api"), await says("web"), running("api"), running("jobs")]).toEqual(["v2", "<p>v2</p>", ["v2"], ["v2"]]);
  order("second");
  const text = engine.text();
  expect(await engine.verb("rollback", "--to", "v2", "--yes")).toMatchObject({ code: 0, json: { unchanged: true } });
  expect(engine.text()).toBe(text);

  expect(await engine.verb("rollback", "--scope", "full", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  expect([await says("api"), await says("web"), running("api"), running("jobs")]).toEqual(["v1", "<p>v1</p>", ["v1"], ["v1"]]);
  expect(orders()).toEqual(["first"]);

  expect(await engine.verb("undo", "--yes")).toMatchObject({ code: 0, json: { ok: true } });
  expect(await says("api")).toBe("v2");
  expect(orders()).toEqual(["first", "second"]);
});

test("killed between its resources and the opening, the same update goes on and ends as pinned", { timeout: 600_000 }, async () => {
  for (const point of ["fence.after", "start.before"]) {
    const back = /backout:release"?: "?v2/.test(engine.text()) ? "v1" : "v2";
    await engine.interrupt(point, "cli", [
      { path: ["release"], value: back },
      { path: ["data"], value: "current" },
      { path: ["scope"], value: undefined },
      { path: ["blocked"], value: undefined },
    ]);
    engine.removeStaleLocks();
    await engine.upWell();
    expect([await says("api"), running("api"), running("jobs")], point).toEqual([back, [back], [back]]);
    expect(orders(), point).toEqual(["first", "second"]);
  }
});

test("a service that somebody ended is started again by the next update", { timeout: 600_000 }, async () => {
  const [release] = running("api");
  for (const instance of instancesOf(instances, "api")) await stopInstance(instance);
  await engine.upWell();
  expect([await says("api"), running("api")]).toEqual([release, [release]]);
});

test("destroy ends every resource of the user's, too", { timeout: 600_000 }, async () => {
  const { code, output } = await engine.pulumi(["destroy", "--yes", "--skip-preview"]);
  expect(code, output).toBe(0);
  expect(instancesOf(instances).filter(runs)).toEqual([]);
  expect(existsSync(liveFile(site, "shop"))).toBe(false);
});
