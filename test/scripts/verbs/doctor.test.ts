/** `backout doctor` in a project of somebody's own: what it finds, how to fix it, and that it changes nothing. */
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { Finding } from "../../../scripts/doctor/finding.ts";
import { nodeFinding, pluginFindings } from "../../../scripts/doctor/machine.ts";
import { fakeDocker } from "../../workloads/fake-docker.ts";
import { ownProject } from "./own-project.ts";

let shop: Awaited<ReturnType<typeof ownProject>>;
beforeEach(async () => {
  shop = await ownProject();
});

async function doctor(path = ""): Promise<{ code: number | null; findings: Finding[]; bad: Finding[] }> {
  const { code, json } = await shop.backout<{ findings: Finding[] }>(["doctor"], path);
  return { code, findings: json.findings, bad: json.findings.filter(({ status }) => status !== "ok") };
}

const files = (): string[] =>
  readdirSync(shop.project, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith(".git"))
    .sort();
const add = () => shop.backout(["release", "add", "v1", "dist/api"]);

test("before the first release and before the first deployment it says what comes next, and makes nothing", async () => {
  const before = files();
  const first = await doctor();
  expect(first.code).toBe(0);
  expect(first.bad).toEqual([
    {
      check: "stack file",
      status: "warning",
      detail: "it has no release yet",
      fix: "npx backout release add <name> <folder or image> --stack dev",
    },
  ]);
  expect(files()).toEqual(before);
  await add();
  const { code, bad, findings } = await doctor();
  expect({ code, bad }).toEqual({ code: 0, bad: [] });
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining([
      "definition",
      "stack file",
      "Node",
      "Pulumi engine",
      "secrets",
      "builds",
      "ports",
      "disk space",
      "rollout",
      "plan",
    ]),
  );
});

test("a stack file that cannot be read is a failure, with everything that is known without it", async () => {
  appendFileSync(shop.file, "  backout:relase: v1\n");
  const { code, bad, findings } = await doctor();
  expect(code).toBe(1);
  expect(bad).toMatchObject([{ check: "stack file", status: "failure", fix: `edit ${shop.file}` }]);
  expect(bad[0]!.detail).toMatch(/backout:relase: .*did you mean `release`/);
  expect(findings.map(({ check }) => check)).toContain("Pulumi engine");
});

test("a program that declares no system, or a wrong one, is a failure of the definition", async () => {
  writeFileSync(shop.file, shop.text().replace(/^ {2}backout:(?:system|definition):.*\n/gm, ""));
  writeFileSync(join(shop.project, "index.ts"), "export const nothing = 1;\n");
  const { code, bad } = await doctor();
  expect(code).toBe(1);
  expect(bad).toMatchObject([{ check: "definition", status: "failure", fix: `edit ${join(shop.project, "index.ts")}` }]);
  expect(bad[0]!.detail).toMatch(/declares no system/);
});

test("a taken port and a changed build are failures, each said once", async () => {
  await add();
  writeFileSync(join(shop.project, "dist", "api", "main.ts"), "console.log(2);\n");
  const taker = createServer();
  await new Promise<void>((resolve) => taker.listen(shop.ports["api-upstream"], "127.0.0.1", resolve));
  try {
    const { code, bad } = await doctor();
    expect(code).toBe(1);
    expect(bad.map(({ check, status }) => [check, status])).toEqual([
      ["builds", "failure"],
      ["ports", "failure"],
    ]);
    expect(bad[1]!.detail).toMatch(new RegExp(`port ${shop.ports["api-upstream"]} is held by process ${process.pid}`));
  } finally {
    taker.close();
  }
});

test("a passphrase that others can read, or that is gone, and a lock whose process died", async () => {
  await add();
  const own = join(shop.project, ".backout");
  writeFileSync(join(own, "passphrase"), "secret\n");
  chmodSync(join(own, "passphrase"), 0o644);
  writeFileSync(
    join(own, "stacks", "dev", "lock.json"),
    JSON.stringify({ pid: 4_194_304, host: "here", user: "ann", since: "today", what: "deploy v1" }),
  );
  const readable = await doctor();
  expect(readable.code).toBe(0);
  expect(readable.bad).toMatchObject([
    { check: "passphrase", status: "warning", fix: `chmod 600 ${join(own, "passphrase")}` },
    { check: "lock", status: "warning", detail: "pid 4194304 (deploy v1) died with the lock: the next verb takes it over" },
  ]);
  writeFileSync(join(own, "passphrase"), "");
  mkdirSync(join(own, "state", ".pulumi", "stacks", "shop"), { recursive: true });
  writeFileSync(join(own, "state", ".pulumi", "stacks", "shop", "dev.json"), "{}");
  const lost = await doctor();
  expect(lost.code).toBe(1);
  expect(lost.bad[0]).toMatchObject({ check: "passphrase", status: "failure" });
  expect(lost.bad[0]!.detail).toMatch(/is empty, but there are stacks whose secrets it unlocks/);
  expect(readFileSync(join(own, "passphrase"), "utf8")).toBe("");
});

test("without a Docker daemon the target docker is a failure", async () => {
  appendFileSync(shop.file, "  backout:target: docker\n");
  fakeDocker({ down: true });
  const { code, bad } = await doctor(process.env["PATH"]!.split(":")[0]);
  expect(code).toBe(1);
  expect(bad).toEqual(expect.arrayContaining([expect.objectContaining({ check: "Docker", status: "failure" })]));
});

test("Node that is too old, and plugins that the program imports or Pulumi.yaml names", () => {
  expect(nodeFinding("v22.17.1")).toMatchObject({ status: "failure", fix: "npm install --save-dev node@24" });
  for (const version of ["v22.18.0", "v24.1.0"]) expect(nodeFinding(version).status).toBe("ok");
  const plugin = join(shop.project, "node_modules", "@pulumi", "cloud");
  mkdirSync(plugin, { recursive: true });
  writeFileSync(join(plugin, "package.json"), '{"version": "v2.3.4", "pulumi": {"resource": true, "name": "cloud"}}');
  writeFileSync(join(shop.project, "index.ts"), 'import * as cloud from "@pulumi/cloud";\nimport { join } from "node:path";\n');
  const yaml = (providers: string): void =>
    writeFileSync(join(shop.project, "Pulumi.yaml"), `name: shop\nruntime: nodejs\nplugins: {providers: [${providers}]}\n`);
  yaml("");
  expect(pluginFindings(shop.project)[0]).toMatchObject({ status: "failure", detail: "Pulumi.yaml names no provider backout" });
  yaml("{name: backout, path: node_modules/nothing}");
  expect(pluginFindings(shop.project)).toMatchObject([
    { status: "failure", detail: "provider backout: Pulumi.yaml names node_modules/nothing, which is not there" },
    {
      status: "warning",
      detail: "cloud 2.3.4 is not installed",
      fix: expect.stringMatching(/pulumi plugin install resource cloud 2\.3\.4$/) as string,
    },
  ]);
});
