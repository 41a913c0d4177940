/** `backout init`: the program that it writes in a folder is understood, and a second run changes nothing. */
// Longer than 300 lines: one folder of every kind, looked at by the same few functions.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { RefusedError } from "../../../config/errors.ts";
import { describeProgram, programFile } from "../../../config/program.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { init, type InitOutcome } from "../../../scripts/verbs/init.ts";

const REPOSITORY = join(import.meta.dirname, "..", "..", "..");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-init-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function have(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** The package as it is installed: a folder whose exports are the sources. */
function install(): void {
  have({ "node_modules/backout/package.json": '{"name": "backout", "type": "module", "exports": "./components/index.ts"}' });
  symlinkSync(join(REPOSITORY, "components"), join(folder, "node_modules", "backout", "components"));
  symlinkSync(join(REPOSITORY, "node_modules", "@pulumi"), join(folder, "node_modules", "@pulumi"));
}

const described = (): Promise<SystemDefinition> =>
  describeProgram({ file: programFile(folder), project: "shop", stack: "dev", config: {} });
const text = (path: string): string => readFileSync(join(folder, path), "utf8");
const did = ({ files }: InitOutcome): Record<string, string> => Object.fromEntries(files.map((file) => [file.path, file.did]));
const start = (given: { stack?: string; databaseUrl?: string; dryRun?: boolean } = {}) => init({ yes: true, ...given }, folder);

async function expectUnchanged(): Promise<void> {
  const again = await start();
  expect(again.unchanged).toBe(true);
  expect(again.byHand).toEqual([]);
}

const COMPOSE = `services:
  db:
    image: postgres:16
    environment: {POSTGRES_USER: admin, POSTGRES_DB: shop, POSTGRES_PASSWORD: hidden}
    ports: ["5433:5432"]
  api:
    build: ./api
    ports: ["8080:8000"]
    environment: {DATABASE_URL: "postgres://a:hidden@db/shop", API_KEY: hidden, MODE: fast}
    healthcheck: {test: [CMD, curl, "http://localhost:8000/healthz"]}
    depends_on: [db]
  jobs:
    build: ./jobs
    command: node worker.js
    environment: ["API=http://api:8000/v1"]
    depends_on: [api]
  gateway: {build: ./gateway, ports: ["8081:9000"]}
  cache: {image: "redis:7"}
`;
const SHOP = {
  "compose.yaml": COMPOSE,
  "api/requirements.txt": "flask\ngunicorn\n",
  "api/Dockerfile": 'FROM python:3\nWORKDIR /app\nCMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n',
  "jobs/package.json": "{}",
  "gateway/go.mod": "module shop.example/gateway\n",
  "gateway/main.go": "package main\n",
  "gateway/Dockerfile": 'FROM scratch\nENTRYPOINT ["/server"]\n',
  "db/migrations/V1__orders.sql": "SELECT 1;\n",
};

test("a compose file of three languages with PostgreSQL", async () => {
  have(SHOP);
  install();
  const shown = await start({ dryRun: true });
  expect(shown.files.every(({ did: done }) => done === "written")).toBe(true);
  const outcome = await start({ databaseUrl: "postgresql://owner:hidden@127.0.0.1:5433/shop" });
  expect(outcome.next.map(({ command }) => command)).toEqual(
    expect.arrayContaining(["npx backout release add v1 releases/v1", "npx backout doctor", "npx backout adopt --dry-run"]),
  );
  expect(outcome.files.map((file) => file.text).join("\n")).not.toContain("hidden");
  const { services, databases, listeners, secrets } = await described();
  expect(services["api"]).toMatchObject({
    kind: "service",
    health: { path: "/healthz" },
    command: ["sh", "-c", "exec ./.venv/bin/gunicorn -b 127.0.0.1:$PORT app:app"],
  });
  expect(services["jobs"]).toMatchObject({ kind: "worker", command: ["node", "worker.js"] });
  expect(services["jobs"]!.environment!({} as never)).toEqual({ API: "http://127.0.0.1:8080/v1" });
  expect(services["gateway"]).toMatchObject({ command: ["./app"], build: ["go", "build", "-o", "app", "."] });
  expect(Object.keys(listeners).sort()).toEqual(["api", "gateway"]);
  expect(Object.keys(secrets ?? {})).toEqual(["api_key"]);
  expect(databases["shop"]).toMatchObject({ engine: "postgres", layout: "flyway", migrations: [{ name: "V1__orders" }] });
  expect(parse(text("Pulumi.dev.yaml"))).toEqual({
    config: {
      "backout:server": { host: "127.0.0.1", port: 5433, user: "owner" },
      "backout:ports": { api: 8080, gateway: 8081 },
    },
  });
  await expectUnchanged();
});

const LISTENING = `services:
  db: {image: "postgres:15", environment: {POSTGRES_DB: shop, POSTGRES_USER: shopapp}, ports: ["5544:5432"]}
  worker:
    build: ./worker
    command: node worker.js
    environment: {BATCH: "50", QUEUE: web}
  web:
    build: ./web
    environment:
      LISTEN: ":18080"
      BIND: 0.0.0.0:18080
      URLS: http://+:18080
      OPTIONS: --quiet --port=18080
      HTTP_PORT: 18080
      TIMEOUT_MS: "18080"
      API_PORT: "18080"
      API_URL: http://api:8000
      PUBLIC_URL: http://localhost:18080
    ports: ["18080:18080"]
  api: {build: ./api, command: node api.js, environment: {ADDRESS: ":8000"}}
  small: {build: ./api, command: node small.js, ports: ["8080:80"]}
`;

test("a program that has its address in a variable listens at the port that it gets; a worker has none", async () => {
  have({ "compose.yaml": LISTENING, "worker/package.json": '{"main": "worker.js"}', "worker/worker.js": "", "api/package.json": "{}" });
  have({ "web/go.mod": "module shop.example/web\n", "web/main.go": "package main\n" });
  install();
  const outcome = await start();
  const { services, listeners } = await described();
  expect(services["web"]!.environment!({ port: 4 } as never)).toEqual({
    LISTEN: ":4",
    BIND: "127.0.0.1:4",
    URLS: "http://127.0.0.1:4",
    OPTIONS: "--quiet --port=4",
    HTTP_PORT: "4",
    TIMEOUT_MS: "18080",
    API_PORT: "18080",
    API_URL: "http://127.0.0.1:8000",
    PUBLIC_URL: "http://localhost:18080",
  });
  expect(services["worker"]).toMatchObject({ kind: "worker" });
  expect(services["worker"]!.health).toBeUndefined();
  expect(outcome.notes.join("\n")).toMatch(/^worker \(compose\.yaml, line 3\) is taken for a worker/m);
  // Another service names its address.
  expect(services["api"]).toMatchObject({ health: { tcp: true } });
  expect(services["api"]!.environment!({ port: 5 } as never)).toEqual({ ADDRESS: ":5" });
  expect(Object.keys(listeners).sort()).toEqual(["small", "web"]);
});

test("public ports are those of the compose file, also where one is the usual port behind another", async () => {
  have({ "compose.yaml": LISTENING, "worker/package.json": "{}", "web/package.json": '{"main": "x.js"}', "web/x.js": "" });
  have({ "api/package.json": "{}" });
  await start();
  expect((parse(text("Pulumi.dev.yaml")) as { config: Record<string, unknown> }).config["backout:ports"]).toEqual({
    web: 18080,
    api: 8000,
    small: 8080,
    "small-upstream": 18081,
  });
  rmSync(join(folder, "Pulumi.dev.yaml"));
  have({ "compose.yaml": LISTENING.replace('"8080:80"', '"8000:80"') });
  expect((await start()).notes).toEqual([]);
  expect((parse(text("Pulumi.dev.yaml")) as { config: Record<string, unknown> }).config["backout:ports"]).toEqual({
    web: 18080,
    api: 8001,
    small: 8000,
  });
  have({ "compose.yaml": LISTENING.replace('"8080:80"', '"18080:80"') });
  const { notes } = await start({ dryRun: true });
  expect(notes).toContain("small gets port 18081: another service has 18080");
});

const DOCKERFILE = `FROM python:3.11-slim AS build
ENV OF_THE_BUILD=1
FROM python:3.11-slim
WORKDIR /app
ENV LOG_LEVEL=info GREETING="good day" LISTEN=:8000
ENV OLD form
ENV PATH=/opt/bin:$PATH
EXPOSE 8000/tcp
HEALTHCHECK --interval=5s CMD curl -f http://localhost:8000/healthz || exit 1
CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
`;

test("a Dockerfile alone: its port, its variables and its health check", async () => {
  have({ Dockerfile: DOCKERFILE, "pyproject.toml": '[project]\nname = "dock"\n', "requirements.txt": "gunicorn\n" });
  install();
  const outcome = await start();
  expect(outcome.notes).toEqual(["Dockerfile: ENV PATH is left out: its value is a path of the image or is made from other variables"]);
  const { dock } = (await described()).services;
  expect(dock).toMatchObject({ kind: "service", health: { path: "/healthz" } });
  expect(dock!.environment!({ port: 4 } as never)).toEqual({ LOG_LEVEL: "info", GREETING: "good day", LISTEN: ":4", OLD: "form" });
  expect(parse(text("Pulumi.dev.yaml"))).toEqual({ config: { "backout:ports": { dock: 8000 } } });
});

test("another command in the same image is not where the image listens", async () => {
  const compose = "services:\n  api: {build: ., ports: ['8001:8000']}\n  tasks: {build: ., command: celery -A app worker}\n";
  have({ Dockerfile: DOCKERFILE, "compose.yaml": compose, "requirements.txt": "gunicorn\ncelery\n" });
  install();
  await start();
  const { api, tasks } = (await described()).services;
  expect(api).toMatchObject({ kind: "service", health: { path: "/healthz" } });
  expect(tasks).toMatchObject({ kind: "worker" });
  expect(tasks!.health).toBeUndefined();
  expect(tasks!.environment!({} as never)).toMatchObject({ LOG_LEVEL: "info" });
});

const next = async (given?: Parameters<typeof start>[0]) =>
  (await start(given)).next.map(({ command, why }) => `${command}  # ${why}`).join("\n");

test("the next commands name the secrets that have no value, adopt for a database of the compose file, and who its user must be", async () => {
  have(SHOP);
  const printed = await next();
  expect(printed).toContain("npx backout adopt --dry-run");
  expect(printed).toContain(
    "password of admin, and writes it encrypted; admin must be an administrator (superuser, or CREATEROLE and CREATEDB)",
  );
  expect(text("Pulumi.dev.yaml")).toContain("# The user is an administrator (superuser, or CREATEROLE and CREATEDB), not the one");
  const set = "config set --secret --path backout:secrets.api_key --stack dev";
  expect(printed).toContain(set);
  expect(printed.indexOf("stack select --create dev")).toBeLessThan(printed.indexOf(set));

  const program = text("program.ts");
  have({ "program.ts": program.replace("api_key: {}", "api_key: { generate: true }") });
  expect(await next()).not.toContain("api_key");
  have({ "program.ts": program });
  const stackFile = text("Pulumi.dev.yaml");
  have({ "Pulumi.dev.yaml": `${stackFile}  backout:serverPassword: {secure: "v1:a"}\n` });
  expect(await next()).toContain(set);
  have({ "Pulumi.dev.yaml": `${stackFile}  backout:serverPassword: {secure: "v1:a"}\n  backout:secrets: {api_key: {secure: "v1:a"}}\n` });
  expect(await next()).not.toContain("--secret");
  have({ "Pulumi.dev.yaml": stackFile });
  process.env["BACKOUT_SECRET_API_KEY"] = "given";
  try {
    expect(await next()).not.toContain(set);
  } finally {
    delete process.env["BACKOUT_SECRET_API_KEY"];
  }
});

test("a release of the whole folder has no settings, and none of backout's own files; git keeps no release", async () => {
  have({ Procfile: "web: node server.js\n", "server.js": "", ".env": "", ".env.local": "", ".gitignore": "/.backout/\n" });
  const { next: commands, byHand } = await start();
  expect(byHand).toEqual([".gitignore: add `releases/`: it holds the copies that `release add` enters"]);
  execFileSync("sh", ["-c", commands.find(({ command }) => command.startsWith("mkdir"))!.command], { cwd: folder });
  expect(readdirSync(join(folder, "releases", "v1")).sort()).toEqual([".gitignore", "Procfile", "package.json", "server.js"]);
});

test("a SQLite file that is not there yet is not adopted", async () => {
  have({ Procfile: "web: python app.py\n" });
  const given = async (url: string) => (await start({ databaseUrl: url, dryRun: true })).next.map(({ command }) => command).join("\n");
  expect(await given("sqlite:shop.db")).not.toContain("adopt");
  have({ "shop.db": "" });
  expect(await given("sqlite:shop.db")).toContain("adopt --dry-run");
});

test("a Procfile of a Python program", async () => {
  have({ Procfile: "web: gunicorn shop:app\nworker: python worker.py\n", "requirements.txt": "gunicorn\npsycopg2\n" });
  install();
  await start();
  const { services, databases } = await described();
  expect(services["web"]).toMatchObject({ kind: "service", command: ["./.venv/bin/gunicorn", "shop:app"] });
  expect(services["worker"]).toMatchObject({ kind: "worker", command: ["./.venv/bin/python", "worker.py"] });
  expect(Object.values(databases)).toMatchObject([{ engine: "postgres" }]);
  await expectUnchanged();
});

test("a Node package with a SQLite file; package.json stays as it is", async () => {
  const own = '{"name": "notes", "main": "server.js", "dependencies": {"better-sqlite3": "12"}}';
  have({ "package.json": own, "server.js": "", "notes.db": "" });
  install();
  const outcome = await start();
  expect(did(outcome)).toMatchObject({ "package.json": "unchanged", "program.mts": "written" });
  // Live data gets into no release.
  expect(outcome.next.map(({ command }) => command).join("\n")).toContain('--exclude="notes.db*"');
  expect(text("package.json")).toBe(own);
  const { name, services, databases } = await described();
  expect(name).toBe("notes");
  expect(services["notes"]).toMatchObject({ kind: "service", command: ["node", "server.js"] });
  expect(databases["notes"]).toMatchObject({ engine: "sqlite" });
  expect(parse(text("Pulumi.dev.yaml"))).toMatchObject({ config: { "backout:files": { notes: "notes.db" } } });
  await expectUnchanged();
});

test("an existing Pulumi project gets the provider; its program stays and is named for the rest", async () => {
  const program = 'import * as pulumi from "@pulumi/pulumi";\n';
  have({ "Pulumi.yaml": "# Ours.\nname: ours\nruntime: nodejs\nmain: infra.ts\n", "infra.ts": program, Procfile: "web: node x.js\n" });
  const outcome = await start();
  expect(did(outcome)).toMatchObject({ "Pulumi.yaml": "changed", "program.ts": "written" });
  expect(outcome.byHand.join("\n")).toMatch(/typescript: false[\s\S]*infra\.ts: add `import "\.\/program\.ts"/);
  expect(text("infra.ts")).toBe(program);
  expect(text("Pulumi.yaml")).toMatch(/^# Ours\./);
  expect((await start()).unchanged).toBe(true);
});

test("an empty folder, and a compose file that does not parse, are refused", async () => {
  await expect(start()).rejects.toThrow(/holds no service: init looks for a compose file/);
  have({ "compose.yaml": "services:\n  api: [\n" });
  await expect(start()).rejects.toThrow(/^compose\.yaml, line 3: not valid YAML/);
  await expect(start()).rejects.toBeInstanceOf(RefusedError);
});
