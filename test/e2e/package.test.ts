/**
 * The package as a user has it: packed, installed by npm in a project that knows nothing of this repository, and used by the commands that it
 * prints, until nothing is left. Also from a program in YAML, and in Python as far as its types go.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { findExecutables } from "../../scripts/pulumi/find-executable.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { addedBeside, environment, packed, typed, write } from "./package/installed.ts";

const LIMIT_BYTES = 120e6;
const SERVER = `import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
const RELEASE = "v1";
const shop = new DatabaseSync(process.env.DATABASE_URL);
createServer((request, answer) => {
  if (request.method === "POST") shop.prepare("INSERT INTO orders (what) VALUES (?)").run(RELEASE);
  answer.end([RELEASE, ...shop.prepare("SELECT what FROM orders ORDER BY id").all().map(({ what }) => what)].join(" "));
}).listen(Number(process.env.PORT), "127.0.0.1");
`;
const MIGRATION = "CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT NOT NULL);\n";

let folder: string;
let shop: string;
let port: number;
let upstream: number;
let missing: string | null = null;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-package-"));
  shop = join(folder, "shop");
  [port, upstream] = (await takeFreePorts(2)) as [number, number];
  await ensureEngine({ log: () => undefined });
  const archive = await packed(folder);
  write(shop, {
    "package.json": JSON.stringify({ name: "shop", private: true, type: "module", scripts: { start: "node server.js" } }),
    "server.js": SERVER,
    "db/migrations/1_orders.sql": MIGRATION,
  });
  const { code, output } = await typed(`npm install --no-audit --no-fund --prefer-offline ${archive}`, shop, environment());
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(output)) missing = "npm's registry is unreachable";
  else if (code !== 0) throw new Error(output);
}, 900_000);
afterAll(async () => {
  for (const project of ["shop", "other"].map((name) => join(folder, name)).filter((path) => existsSync(join(path, "Pulumi.dev.yaml"))))
    await typed(`${DROP} ${ownCommand()} pulumi destroy --yes --skip-preview --stack dev`, project, environment());
  rmSync(folder, { recursive: true, force: true });
});

/** The installed command, for projects beside the one that has it. */
const ownCommand = (): string => join(shop, "node_modules", ".bin", "backout");
const DROP = "BACKOUT_DESTROY_DATA=drop:dev";
const says = async (method = "GET"): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`, { method })).text();

/** Runs a command as it is typed, and returns what it printed. */
async function well(command: string, at = shop, path: string[] = []): Promise<string> {
  const { code, output } = await typed(command, at, environment(path));
  expect(code, `${command}\n${output}`).toBe(0);
  return output;
}

function usePorts(at: string): void {
  const file = join(at, "Pulumi.dev.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace(/shop: 8080/, `shop: ${port}\n    shop-upstream: ${upstream}`));
}

test("it adds no more than 120 MB beside @pulumi/pulumi, and no provider that is not used", (context) => {
  if (missing !== null) return context.skip(missing);
  const added = addedBeside(shop, "@pulumi/pulumi");
  expect(Object.keys(added)).toContain("backout");
  expect(Object.keys(added).filter((name) => name.startsWith("@pulumi/"))).toEqual([]);
  const bytes = Object.values(added).reduce((sum, size) => sum + size, 0);
  expect(bytes, JSON.stringify(added, null, 2)).toBeLessThan(LIMIT_BYTES);
});

test("from init to destroy, by the commands that it prints", { timeout: 1_200_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  const printed = await well("npx backout init --yes --database-url sqlite:shop.db");
  usePorts(shop);
  const [, ...next] = printed.slice(printed.indexOf("next:")).trim().split("\n");
  // A database with data would be adopted; this one is new.
  const commands = next.map((line) => line.trim()).filter((line) => !line.startsWith("#") && !line.includes(" adopt "));
  expect(commands.map((command) => command.split(" ").slice(0, 3).join(" "))).toEqual([
    "mkdir -p releases/v1",
    "npx backout release",
    "npx backout doctor",
    "npx backout deploy",
  ]);
  const [copy, add, doctor, deploy] = commands as [string, string, string, string];
  for (const command of [copy, add, doctor, `${deploy} --yes`]) await well(command);
  expect(await says()).toBe("v1");
  await says("POST");

  writeFileSync(join(shop, "server.js"), SERVER.replace('"v1"', '"v2"'));
  for (const command of [copy, add, `${deploy} --yes`]) await well(command.replaceAll("v1", "v2"));
  expect(await says("POST")).toBe("v2 v1 v2");
  await well("npx backout rollback --scope full --yes");
  expect(await says()).toBe("v1 v1");
  await well("npx backout undo --yes");
  expect(await says()).toBe("v2 v1 v2");

  expect(await well("npx backout pulumi --help")).toMatch(/Usage: backout pulumi/);
  await well(`${DROP} npx backout pulumi destroy --yes --skip-preview --stack dev`);
  await expect(says()).rejects.toThrow();
});

test("its types are complete without another package", { timeout: 600_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  const compiler = join(import.meta.dirname, "..", "..", "node_modules", "typescript", "bin", "tsc");
  const options = "--noEmit --strict --module nodenext --target es2024 --skipLibCheck false";
  const { output } = await typed(`node ${compiler} ${options} program.ts`, shop, environment());
  // Declarations of other packages are theirs.
  expect(output.split("\n").filter((line) => /^(?:program\.ts|node_modules\/backout\/)/.test(line))).toEqual([]);
});

const PLUGIN = "node_modules/backout/dist/provider";
const PROVIDERS = `backend: {url: "file://.backout/state?metadata=skip"}
plugins:
  providers:
    - {name: backout, path: ../shop/${PLUGIN}}
`;
const INPUTS = JSON.stringify({
  databases: { shop: { engine: "sqlite", migrations: "migrations" } },
  services: { shop: { command: ["node", "server.js"], health: "tcp", port: 8080 } },
});
const IN_YAML = `name: other
runtime: yaml
${PROVIDERS}packages:
  backout: ../shop/${PLUGIN}/pulumi-resource-backout
resources:
  shop:
    type: backout:System
    properties: ${INPUTS}
outputs:
  data: \${shop.data}
`;
/** A language of which nothing is known but that its programs ask the engine for the component, as those of every language do. */
const IN_ANOTHER = {
  "Pulumi.yaml": `name: other\nruntime: {name: another, options: {typescript: false}}\n${PROVIDERS}`,
  "index.js": `import { ComponentResource } from "@pulumi/pulumi";
new ComponentResource("backout:index:System", "shop", ${INPUTS}, {}, true);
`,
};

/** Where a language host is, beside the engine or on the path; null: nowhere. */
async function hostOf(language: string): Promise<string | null> {
  const { folder: engine } = await ensureEngine({ log: () => undefined });
  const [host] = await findExecutables(`pulumi-language-${language}`, `${engine}:${process.env["PATH"] ?? ""}`);
  return host ?? null;
}

/** The real host for YAML where there is one; else one for another language, which is Node's under that name. */
async function inAnotherLanguage(at: string): Promise<string> {
  const host = await hostOf("yaml");
  if (host !== null) {
    write(at, { "Pulumi.yaml": IN_YAML });
    return dirname(host);
  }
  write(at, IN_ANOTHER);
  symlinkSync(join(shop, "node_modules"), join(at, "node_modules"));
  const bin = join(at, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "pulumi-language-another"), '#!/bin/sh\nexec pulumi-language-nodejs "$@"\n', { mode: 0o755 });
  return bin;
}

test("a program in YAML, or in another language, is deployed, rolled back and destroyed", { timeout: 1_200_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  const other = join(folder, "other");
  write(other, {
    "package.json": JSON.stringify({ name: "other", private: true, type: "module", main: "index.js" }),
    "Pulumi.dev.yaml": "config:\n  backout:ports:\n    shop: 8080\n  backout:standby: never\n",
    "migrations/1_orders.sql": MIGRATION,
    ...Object.fromEntries(
      ["v1", "v2"].flatMap((release) => [
        [`releases/${release}/package.json`, '{"type": "module"}'],
        [`releases/${release}/server.js`, SERVER.replace("v1", release)],
      ]),
    ),
  });
  usePorts(other);
  const bin = await inAnotherLanguage(other);
  const backout = (words: string, variables = ""): Promise<string> => well(`${variables} ${ownCommand()} ${words}`, other, [bin]);
  const none = await typed(`${ownCommand()} release add v1 releases/v1`, other, environment([bin]));
  expect(none.output).toMatch(/has no stack dev: run `.*pulumi stack select --create dev`.*Nothing was changed/);
  await backout("pulumi stack select --create dev");
  await backout("release add v1 releases/v1");
  await backout("pulumi up --yes --skip-preview --stack dev");
  expect(await says("POST")).toBe("v1 v1");
  await backout("release add v2 releases/v2");
  await backout("deploy v2 --yes");
  expect(await says("POST")).toBe("v2 v1 v2");
  await backout("rollback --scope full --yes");
  expect(await says()).toBe("v1 v1");
  await backout("pulumi destroy --yes --skip-preview --stack dev", DROP);
});

test("the classes that Pulumi makes for Python type-check a program", { timeout: 900_000 }, async (context) => {
  if (missing !== null) return context.skip(missing);
  const host = await hostOf("python");
  if (host === null) return context.skip("no pulumi-language-python beside the engine or on the PATH");
  const python = join(folder, "python");
  mkdirSync(python);
  const installed = await typed("python3 -m venv venv && venv/bin/pip install --quiet pulumi mypy", python, environment());
  if (installed.code !== 0) return context.skip(`pulumi and mypy cannot be installed: ${installed.output.trim().split("\n").at(-1)}`);
  await well(`npx backout pulumi package gen-sdk ${PLUGIN}/pulumi-resource-backout --language python --out ${python}`, shop, [
    join(host, ".."),
  ]);
  const program = (port: string): string => `import pulumi_backout as backout

shop = backout.System(
    "shop",
    databases={"shop": backout.DatabaseArgs(engine="sqlite", migrations="migrations")},
    services={"api": backout.ServiceArgs(command=["python3", "app.py"], health="/healthz", port=${port})},
)
`;
  write(python, { "good.py": program("8080"), "bad.py": program('"8080"') });
  const check = (file: string) =>
    typed(`MYPYPATH=python venv/bin/mypy --ignore-missing-imports --follow-imports silent ${file}`, python, environment());
  const good = await check("good.py");
  expect(good.code, good.output).toBe(0);
  expect((await check("bad.py")).output).toMatch(/bad\.py:6: error: .*port/);
});
