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
import { PROJECT } from "./stand.ts";

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

test("a wrong definition is refused in the preview, by path, value and what is allowed", { timeout: 600_000 }, async () => {
  const wrong = await engine.preview([{ path: ["services"], value: { aip: { run: "off" } } }]);
  expect(wrong.code).not.toBe(0);
  expect(wrong.output).toMatch(/backout:services\.aip: .*shop has no such service, only api, jobs, worker, web/);
  engine.pin([{ path: ["services"], value: undefined }]);
});

test("destroy ends every resource of the user's, too", { timeout: 600_000 }, async () => {
  const { code, output } = await engine.pulumi(["destroy", "--yes", "--skip-preview"]);
  expect(code, output).toBe(0);
  expect(instancesOf(instances).filter(runs)).toEqual([]);
  expect(existsSync(liveFile(site, "shop"))).toBe(false);
});
