/**
 * The user's own migration command is killed in the middle, with backout or by itself, also half done: the same update again finishes or goes
 * back, users stay out meanwhile, and no command of the killed run works beside the new one.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import { removeDrill } from "../../drill/remove.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { isRunning, lookUp } from "../../processes/identity.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { PROGRAM } from "./order-shop/definition.ts";
import { projectOf } from "./own-program.ts";
import { databasesOf } from "./stand/databases.ts";
import { engineOf } from "./stand/engine.ts";
import { PROJECT, textOf, until } from "./stand.ts";

/** Applies or reverts what dbmate's ledger lacks. It stands where a file `stand` says so, and tells whether another one runs. */
const TOOL = `
import { appendFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import pg from "${join(PROJECT, "node_modules", "pg", "esm", "index.mjs")}";
process.on("uncaughtException", (error) => {
  console.error(error.message);
  process.exit(1);
});
const direction = process.argv[2];
const tell = (line) => appendFileSync("told", line + "\\n");
const others = readdirSync("/proc").filter((pid) => /^\\d+$/.test(pid) && Number(pid) !== process.pid && existsSync("/proc/" + pid + "/cmdline")
  && readFileSync("/proc/" + pid + "/cmdline", "utf8").includes(process.argv[1]) && !readFileSync("/proc/" + pid + "/cmdline", "utf8").startsWith("/bin/sh"));
tell(direction + " " + process.env.BACKOUT_SCHEMA + (others.length === 0 ? "" : " beside " + others.join()));
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
const stand = async (name) => {
  if (existsSync("standing") || !existsSync("stand") || readFileSync("stand", "utf8") !== name) return;
  writeFileSync("standing", String(process.pid));
  while (existsSync("stand")) await new Promise((resolve) => setTimeout(resolve, 20));
};
await client.query("CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY)");
const applied = (await client.query("SELECT version FROM schema_migrations")).rows.map((row) => row.version);
const version = (name) => name.split("_")[0];
const goal = process.env.BACKOUT_SCHEMA;
const names = readdirSync("db").map((file) => file.replace(".sql", "")).sort();
const todo = direction === "up" ? names.filter((name) => name <= goal && !applied.includes(version(name)))
  : names.filter((name) => name > goal && applied.includes(version(name))).reverse();
for (const name of todo) {
  const text = readFileSync("db/" + name + ".sql", "utf8").split("-- migrate:down")[direction === "up" ? 0 : 1];
  const whole = !text.includes("-- one by one");
  if (whole) await client.query("BEGIN");
  const statements = text.split(";").map((one) => one.replace(/^--.*$/gm, "").trim()).filter(Boolean);
  for (const [index, statement] of statements.entries()) {
    await client.query(statement);
    if (index === 0) await stand(name);
  }
  await client.query(direction === "up" ? "INSERT INTO schema_migrations VALUES ($1)" : "DELETE FROM schema_migrations WHERE version = $1", [version(name)]);
  if (whole) await client.query("COMMIT");
}
await client.end();
`;

const MIGRATIONS: Record<string, string> = {
  "1_orders":
    "-- migrate:up\nCREATE TABLE orders (id int PRIMARY KEY);\nINSERT INTO orders VALUES (1);\n-- migrate:down\nDROP TABLE orders;\n",
  "2_notes": "-- migrate:up\nCREATE TABLE notes (id int);\nINSERT INTO notes VALUES (1);\n-- migrate:down\nDROP TABLE notes;\n",
  "3_tags":
    "-- migrate:up\n-- one by one\nCREATE TABLE tags (id int);\nALTER TABLE orders ADD tag int;\n-- migrate:down\nALTER TABLE orders DROP tag;\nDROP TABLE tags;\n",
};

let folder: string;
let stack: EphemeralStack;
let site: Site;
let engine: ReturnType<typeof engineOf>;
let data: ReturnType<typeof databasesOf>;
let pulumi: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-migrate-"));
  chmodSync(folder, 0o755);
  mkdirSync(at("db"));
  writeFileSync(at("package.json"), '{"type":"module"}\n');
  writeFileSync(at("tool.mjs"), TOOL);
  for (const [name, text] of Object.entries(MIGRATIONS)) writeFileSync(at(`db/${name}.sql`), text);
  const definition = {
    name: "shop",
    title: "Shop",
    folder,
    services: {
      app: {
        kind: "service",
        title: "Shop",
        entry: "main.ts",
        databases: ["shop"],
        health: { path: "/health", body: "ok", timeoutMs: 60_000 },
        stopGraceMs: 2_000,
      },
    },
    stopOrder: ["app"],
    databases: {
      shop: {
        engine: "postgres",
        ledger: "auto",
        migrations: "db",
        migrate: `cd ${folder} && exec node tool.mjs up`,
        migrateDown: `cd ${folder} && exec node tool.mjs down`,
        tables: ["orders"],
        principalTable: "orders",
      },
    } as unknown as SystemDefinition["databases"],
    listeners: { app: { service: "app" } },
    effects: [],
    scopes: {
      code: {
        title: "",
        useWhen: "",
        budgetSeconds: 60,
        phaseBudgets: {},
        checks: [],
        pins: { release: "to", data: "current", schema: "keep" },
      },
      full: {
        title: "",
        useWhen: "",
        budgetSeconds: 60,
        phaseBudgets: {},
        checks: [],
        pins: { release: "to", data: "snapshot", schema: "keep" },
      },
    },
    defaultScope: "full",
    checks: [],
    maintenanceMessage: "Closed",
    retryAfterSeconds: 1,
    settleSeconds: 0,
  } satisfies Omit<SystemDefinition, "databases"> & { databases: unknown };
  const environment = "({ port, release }) => ({ PORT: String(port), SAYS: release })";
  writeFileSync(
    at("definition.ts"),
    `const definition = ${JSON.stringify(definition)};\ndefinition.services.app.environment = ${environment};\nexport { definition };\n`,
  );
  const releases: Record<string, unknown> = {};
  for (const [index, schema] of Object.keys(MIGRATIONS).entries()) {
    const path = at(`builds/v${index + 1}`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "main.ts"), `// v${index + 1}\n${PROGRAM}`);
    releases[`v${index + 1}`] = { schema: { shop: schema }, services: { app: { path, sha256: await hashFolder(path) } } };
  }
  const [port, upstream, app] = await takeFreePorts(3);
  const found = await ensureEngine({ log: () => undefined });
  pulumi = found.pulumi;
  stack = await makeEphemeralStack({
    project: projectOf(folder, "orbis-forge", at("definition.ts")),
    stack: "orbis-forge",
    folder,
    name: "shop",
    engine: found,
    edits: [
      { path: ["releases"], value: releases },
      { path: ["server"], value: { embedded: true, port } },
      { path: ["ports"], value: { app, "app-upstream": upstream } },
      { path: ["release"], value: "v1" },
      { path: ["standby"], value: "never" },
    ],
  });
  const opened = await openStack(stackFile("shop", folder));
  site = { ...opened.site, home: stack.home };
  const base = { stack, site, definition: opened.definition, folder, engine: found };
  engine = engineOf(base);
  data = databasesOf(base);
});
afterAll(async () => {
  if (folder === undefined) return;
  rmSync(at("stand"), { force: true });
  await removeDrill(folder);
  rmSync(folder, { recursive: true, force: true });
});

/** What users get: the release, or the status of the gate. */
async function answer(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${site.ports["app"]}/`).catch(() => null);
  return response === null ? "nobody" : response.ok ? response.text() : String(response.status);
}
const told = (): string[] => (existsSync(at("told")) ? readFileSync(at("told"), "utf8").trim().split("\n") : []);
const ledger = async (): Promise<string[]> =>
  (await data.sql<{ version: string }>("SELECT version FROM schema_migrations ORDER BY 1")).map(({ version }) => version);
const tables = async (): Promise<string[]> =>
  (
    await data.sql<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' ORDER BY 1",
    )
  ).map(({ name }) => name);

/** Starts an update and waits until the command stands in the middle of a migration, its first statement done. */
async function standing(migration: string, edits: Parameters<typeof engine.pin>[0]) {
  writeFileSync(at("stand"), migration);
  rmSync(at("standing"), { force: true });
  await engine.pulumi(["stack", "ls"]);
  engine.pin(edits);
  const given = ["up", "--yes", "--skip-preview", "--stack", "shop", "--non-interactive", "--color", "never"];
  const cli = spawn(pulumi, given, { cwd: folder, env: { ...process.env, ...stack.environment }, stdio: ["ignore", "pipe", "ignore"] });
  const exited = new Promise<number | null>((resolve) => cli.once("exit", (code) => resolve(code)));
  const output = textOf(cli.stdout);
  const there = (): boolean => existsSync(at("standing")) && readFileSync(at("standing"), "utf8") !== "";
  await until(`the command stands in ${migration}`, () => there() || cli.exitCode !== null, 180_000);
  if (!there()) throw new Error(`the update ended first:\n${await output}`);
  const tool = Number(readFileSync(at("standing"), "utf8"));
  const provider = lookUp(tool)!.parent;
  return {
    tool,
    exited,
    /** Of the machine everything is lost that could end the command. */
    killAll: async () => {
      for (const pid of [provider, cli.pid!]) process.kill(pid, "SIGKILL");
      await until("both are gone", () => !isRunning(provider) && !isRunning(cli.pid!));
      expect(isRunning(tool), "the command outlives them").toBe(true);
      engine.removeStaleLocks();
    },
  };
}

const MINUTES = { timeout: 600_000 };

test("the first deployment, killed with its command left behind: again, it finishes and the command is gone before", MINUTES, async () => {
  const { tool, killAll } = await standing("1_orders", []);
  await killAll();
  await engine.upWell();
  expect(isRunning(tool)).toBe(false);
  expect([await answer(), await ledger(), await tables()]).toEqual(["v1", ["1"], ["orders"]]);
  expect(told()).toEqual(["up 1_orders", "up 1_orders"]);
});

test(
  "a deployment, killed with its command left behind: users stay out; back, the command is gone; again, nothing is applied twice",
  MINUTES,
  async () => {
    const { tool, killAll } = await standing("2_notes", [{ path: ["release"], value: "v2" }]);
    await killAll();
    expect(await answer()).toBe("503");
    // On the way back no command runs that would end it: it would go on in the opened database.
    await engine.upWell([{ path: ["release"], value: "v1" }]);
    expect(isRunning(tool)).toBe(false);
    expect([await answer(), await ledger(), await tables()]).toEqual(["v1", ["1"], ["orders"]]);
    await engine.upWell([{ path: ["release"], value: "v2" }]);
    expect([await answer(), await ledger(), await tables()]).toEqual(["v2", ["1", "2"], ["notes", "orders"]]);
    expect(told().slice(2)).toEqual(["up 2_notes", "up 2_notes"]);
    expect(await data.sql("SELECT FROM notes")).toHaveLength(1);
  },
);

test(
  "a command that is killed half done: told, users stay out; again it is told what it stumbles over; the rollback takes all of it back",
  MINUTES,
  async () => {
    const { tool, exited } = await standing("3_tags", [{ path: ["release"], value: "v3" }]);
    process.kill(tool, "SIGKILL");
    expect(await exited).not.toBe(0);
    expect(await answer()).toBe("503");
    const { code, output } = await engine.up();
    expect(code).not.toBe(0);
    expect(output).toMatch(/exec node tool\.mjs up` ended with exit code 1: .*relation "tags" already exists/);
    expect(output).toMatch(/go back to v2: `.*rollback --stack shop`/);
    expect(await answer()).toBe("503");
    const back = await engine.verb("rollback", "--yes", "--incident", "INC-1");
    expect(back.code, back.stderr).toBe(0);
    expect([await answer(), await ledger(), await tables()]).toEqual(["v2", ["1", "2"], ["notes", "orders"]]);
  },
);

test("a schema that goes down, killed with its command left behind: again, it goes down once", MINUTES, async () => {
  const pins = [
    { path: ["release"] as [string], value: "v1" },
    { path: ["data"] as [string], value: "current" },
    { path: ["schema"] as [string], value: "down" },
    { path: ["scope"] as [string], value: undefined },
  ];
  const { tool, killAll } = await standing("2_notes", pins);
  await killAll();
  const before = told().length;
  await engine.upWell();
  expect(isRunning(tool)).toBe(false);
  expect([await answer(), await ledger(), await tables()]).toEqual(["v1", ["1"], ["orders"]]);
  expect(told().slice(before)).toEqual(["down 1_orders"]);
});
