/** A system of somebody's own in three languages goes forward, breaks and goes back, by verbs and by plain Pulumi, also when it is killed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PinEdit } from "../../config/edit.ts";
import { copiesFolder, processFolder, type Site } from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import { removeDrill } from "../../drill/remove.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { stepPoint } from "../../processes/failpoints.ts";
import { observeProcess } from "../../processes/process.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { APP, buildScript, SHOP, WORKER } from "./mixed-shop/definition.ts";
import { engineOf } from "./stand/engine.ts";
import { projectOf } from "./own-program.ts";

const PYTHON = spawnSync("python3", ["-c", "import sqlite3"]).status === 0;

interface Answer {
  release: string;
  orders: string[];
}

describe("a Python API, a shell worker with a build and a static site", () => {
  let folder: string;
  let stack: EphemeralStack;
  let site: Site;
  let pulumi: ReturnType<typeof engineOf>;
  /** A line per build. */
  let built: string;

  /** The folders of a release, and its entry in the ledger. */
  async function release(name: string, schema: string, changes: Record<string, string> = {}, more: object = {}): Promise<PinEdit> {
    const files: Record<string, string> = {
      "api/src/app.py": APP,
      "api/src/shop.py": SHOP,
      "jobs/build.sh": buildScript(built),
      "jobs/source.sh": WORKER,
      "site/index.html": `<!doctype html><title>${name}</title>`,
      ...changes,
    };
    const path = join(folder, "builds", name);
    for (const [file, text] of Object.entries({ ...files, "api/version": name, "jobs/version": name })) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    }
    const entry = async (service: string) => ({ path: join(path, service), sha256: await hashFolder(join(path, service)) });
    const services = { api: await entry("api"), jobs: { ...(await entry("jobs")), ...more }, site: await entry("site") };
    return { path: ["releases", name], value: { schema: { production: schema }, services } };
  }

  beforeAll(async () => {
    if (!PYTHON) return;
    folder = mkdtempSync(join(tmpdir(), "backout-mixed-"));
    built = join(folder, "built");
    writeFileSync(built, "");
    const releases = [
      await release("v1", "1_orders"),
      await release("v2", "2_notes"),
      await release("unbuilt", "2_notes", { "jobs/build.sh": "echo the compiler is broken >&2\nexit 3\n" }),
      await release("crashing", "3_marks", { "api/src/app.py": "raise SystemExit('no such module')\n" }),
      await release("toolless", "2_notes", {}, { build: ["no-such-compiler", "."] }),
    ];
    const [api, upstream, page] = await takeFreePorts(3);
    const engine = await ensureEngine();
    const definition = join(import.meta.dirname, "mixed-shop", "definition.ts");
    stack = await makeEphemeralStack({
      project: projectOf(folder, "orbis-forge", definition),
      stack: "orbis-forge",
      folder,
      name: "mixed",
      engine,
      edits: [
        { path: ["releases"], value: {} },
        ...releases,
        { path: ["ports"], value: { api, "api-upstream": upstream, site: page } },
        { path: ["release"], value: "v1" },
        { path: ["standby"], value: "never" },
      ],
    });
    const opened = await openStack(stackFile("mixed", folder));
    site = { ...opened.site, home: stack.home };
    pulumi = engineOf({ stack, site, definition: opened.definition, folder, engine });
  });
  afterAll(async () => {
    if (folder === undefined) return;
    await removeDrill(folder);
    rmSync(folder, { recursive: true, force: true });
  });

  const says = async (): Promise<Answer> => (await fetch(`http://127.0.0.1:${site.ports["api"]}/orders`)).json() as Promise<Answer>;
  const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${site.ports["site"]}/`)).text();
  const sell = async (what: string): Promise<void> => {
    expect((await fetch(`http://127.0.0.1:${site.ports["api"]}/orders`, { method: "POST", body: what })).status).toBe(200);
  };
  const builds = (): string[] => readFileSync(built, "utf8").split("\n").filter(Boolean);
  const pids = () => ["api", "jobs"].map((name) => observeProcess(processFolder(site), name).pid);
  const works = async (name: string, orders: string[]): Promise<void> => {
    expect(await says()).toEqual({ release: name, orders });
    expect(await page()).toContain(`<title>${name}</title>`);
    for (const service of ["api", "jobs"])
      expect(observeProcess(processFolder(site), service)).toMatchObject({ running: true, release: name, orphans: [] });
  };
  const verb = (name: string, ...given: string[]) => pulumi.verb<Record<string, unknown>>(name, ...given);

  test("is deployed forward, each release built once before anything stops", { timeout: 900_000 }, async (context) => {
    if (!PYTHON) return context.skip("no python3 with sqlite3 on this machine");
    const first = await verb("deploy", "v1", "--yes");
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr + JSON.stringify(first.json)).toContain("assembling the worker");
    await sell("as v1");
    const second = await verb("deploy", "v2", "--yes");
    expect(second.code, second.stderr).toBe(0);
    await sell("as v2");
    await works("v2", ["as v1", "as v2"]);
    expect(builds()).toEqual(["v1", "v2"]);
  });

  test("a build that fails, or has no program, is refused while everything goes on", { timeout: 900_000 }, async (context) => {
    if (!PYTHON) return context.skip("no python3 with sqlite3 on this machine");
    const before = { pids: pids(), text: pulumi.text() };
    const failed = await verb("deploy", "unbuilt", "--yes");
    expect(failed.code).not.toBe(0);
    expect(failed.stderr + JSON.stringify(failed.json)).toMatch(/the build of jobs unbuilt .*failed with code 3.*the compiler is broken/s);
    const refused = await verb("deploy", "toolless", "--yes");
    expect(refused.code).toBe(3);
    expect(refused.stderr + JSON.stringify(refused.json)).toMatch(
      /services\.jobs\.build: \\*"no-such-compiler\\*" not found, neither on the PATH/,
    );
    expect(pids()).toEqual(before.pids);
    await works("v2", ["as v1", "as v2"]);
  });

  test(
    "one that crashes is taken back by itself; then the rollback brings release and data back, without a new build",
    { timeout: 900_000 },
    async (context) => {
      if (!PYTHON) return context.skip("no python3 with sqlite3 on this machine");
      const crashed = await verb("deploy", "crashing", "--yes");
      expect(crashed.code, "it fails and says so").toBe(1);
      await works("v2", ["as v1", "as v2"]);
      const back = await verb("rollback", "--scope", "full", "--yes", "--incident", "INC-1");
      expect(back.code, back.stderr).toBe(0);
      await works("v1", ["as v1"]);
      expect(builds().filter((name) => name !== "crashing")).toEqual(["v1", "v2"]);
    },
  );

  test(
    "by plain Pulumi, killed in the middle and run again; builds that are gone are made before anything stops",
    { timeout: 900_000 },
    async (context) => {
      if (!PYTHON) return context.skip("no python3 with sqlite3 on this machine");
      await verb("unblock", "v2");
      await pulumi.upWell([
        { path: ["release"], value: "v2" },
        { path: ["data"], value: "current" },
        { path: ["scope"], value: undefined },
      ]);
      await sell("as v2 again");
      await works("v2", ["as v1", "as v2 again"]);
      rmSync(copiesFolder(site), { recursive: true });
      const before = builds().length;
      await pulumi.interrupt(stepPoint("start", "api v1", "after"), "cli", [{ path: ["release"], value: "v1" }]);
      expect(builds().slice(before)).toEqual(["v1"]);
      pulumi.removeStaleLocks();
      await pulumi.upWell();
      await works("v1", ["as v1", "as v2 again"]);
      // Nothing was left of what the killed update started, and nothing of v2.
      expect(builds().slice(before)).toEqual(["v1"]);
      expect((await pulumi.upWell()).counts["updated"] ?? 0).toBe(0);
    },
  );
});
