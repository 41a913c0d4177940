/** One stack in two clones: each with its folder, its home and, where the tests run as root, its user. In common: backend, passphrase, database server. */
import { spawn } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { stringify } from "yaml";
import type { Endpoint } from "../../config/endpoint.ts";
import { gateFolder, processFolder, type Site } from "../../config/site.ts";
import { passwordOf } from "../../databases/postgres/connection.ts";
import { takeFreePorts } from "../../drill/ports.ts";
import type { EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { DESTROY_DATA } from "../../rollout/destroy.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { runningNames, stopProcess } from "../../processes/process.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { engineEnvironment } from "../../scripts/pulumi/environment.ts";
import { fileBackend } from "../../scripts/pulumi/file-backend.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { ownServer } from "../databases/postgres/own-server.ts";
import { textOf } from "./stand/base.ts";
import { databasesOf } from "./stand/databases.ts";
import { engineOf } from "./stand/engine.ts";
import { PROJECT } from "./stand.ts";

/** Whoever works in the second clone, where a test may become somebody else. */
const OTHER_USER = process.getuid?.() === 0 ? 65534 : null;
const PASSPHRASE = "known to the team";
const SERVICE = `import { createServer } from "node:http";
const { PORT = "0", BACKOUT_RELEASE = "" } = process.env;
createServer((request, answer) => answer.end(request.url === "/healthz" ? "ok" : BACKOUT_RELEASE)).listen(Number(PORT), "127.0.0.1");
`;
const MIGRATIONS = {
  "1_orders": "CREATE TABLE orders (id serial PRIMARY KEY, what text NOT NULL);",
  "2_notes": "CREATE TABLE notes (id serial PRIMARY KEY, note text);",
};
/** Newest migration by release. */
const RELEASES = { v1: "1_orders", v2: "2_notes" };
const PROGRAM = `import { postgres, process, System } from "${PROJECT}/components/index.ts";
new System("shop", {
  databases: { shop: postgres({ migrations: "migrations" }) },
  services: {
    api: {
      health: "/healthz",
      port: 8451,
      stopGraceMs: 1000,
      environment: ({ port, databaseUrl, release }) => ({ PORT: String(port), DATA: databaseUrl("shop"), BACKOUT_RELEASE: release }),
      run: process({ entry: "main.ts" }),
    },
  },
});
`;

export type TeamStand = Awaited<ReturnType<typeof makeTeam>>;

export interface TeamOptions {
  /** A server with its end. @default an embedded one of the test's own, which is no server of the stack's */
  server?: { endpoint: Endpoint; remove: () => Promise<void> };
  /** @default template */
  driver?: string;
  /** Further keys of the stack file. */
  config?: Record<string, unknown>;
  /** Keys with values that are encrypted. */
  secrets?: Record<string, string>;
}

export async function makeTeam({ server: given, driver = "template", config = {}, secrets = {} }: TeamOptions = {}) {
  const server = given ?? (await ownServer());
  const pulumi = await ensureEngine({ log: () => undefined });
  const shared = mkdtempSync(join(tmpdir(), "backout-team-"));
  const backend = join(shared, "state");
  mkdirSync(backend);
  const repository = join(shared, "repository");
  await writeProject(repository, server.endpoint, driver, config);
  const clone = (name: string): EphemeralStack => {
    const folder = join(shared, name);
    cpSync(repository, folder, { recursive: true, verbatimSymlinks: true });
    const environment = {
      ...engineEnvironment(pulumi, folder),
      PULUMI_BACKEND_URL: fileBackend(backend),
      PULUMI_CONFIG_PASSPHRASE: PASSPHRASE,
      PULUMI_CONFIG_PASSPHRASE_FILE: undefined,
      PULUMI_ACCESS_TOKEN: undefined,
      INIT_CWD: undefined,
      BACKOUT_PRIVATE: "1",
      [DESTROY_DATA]: "keep",
    };
    const file = join(folder, "stacks", "Pulumi.dev.yaml");
    return { folder, stack: "dev", file, home: join(folder, ".backout", "stacks", "dev"), environment };
  };
  const [stack, second] = [clone("one"), clone("two")];
  const opened = await openStack(stackFile("dev", stack.folder));
  const { embedded, ...declared } = opened.site.server!;
  const site: Site = {
    ...opened.site,
    server: { ...declared, embedded, password: passwordOf(server.endpoint)! } as Site["server"] & object,
  };
  const base = { stack, engine: pulumi, site, definition: opened.definition, folder: stack.folder };
  const engine = engineOf(base);
  const database = databasesOf(base);
  const set = await engine.pulumi(["config", "set", "--secret", "backout:serverPassword", passwordOf(server.endpoint)!]);
  if (set.code !== 0) throw new Error(set.output);
  for (const [key, value] of Object.entries(secrets)) {
    const { code, output } = await engine.pulumi(["config", "set", "--secret", "--path", key, value]);
    if (code !== 0) throw new Error(output);
  }
  for (const path of [join(shared), backend]) chmodSync(path, 0o777);
  if (OTHER_USER !== null) belongTo(OTHER_USER, shared, second, pulumi.folder);

  /** A script of backout in the second clone. The stack file is the first one's, as after `git pull`. */
  const there = async (script: "pulumi" | "backout", ...given: string[]): Promise<{ code: number; output: string }> => {
    for (const name of readdirSync(backend, { recursive: true, encoding: "utf8" })) chmodSync(join(backend, name), 0o777);
    cpSync(stack.file, second.file);
    const running = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(PROJECT, "scripts", `${script}.ts`), ...given, "--stack", second.stack],
      {
        cwd: second.folder,
        env: { ...process.env, ...second.environment },
        stdio: ["ignore", "pipe", "pipe"],
        ...(OTHER_USER === null ? {} : { uid: OTHER_USER, gid: OTHER_USER }),
      },
    );
    const [code, ...output] = await Promise.all([
      new Promise<number>((resolve) => running.once("close", (status) => resolve(status ?? -1))),
      textOf(running.stdout),
      textOf(running.stderr),
    ]);
    cpSync(second.file, stack.file);
    return { code, output: output.join("\n") };
  };
  /** Nothing of a clone's machine runs any more. */
  const gone = async ({ home }: EphemeralStack): Promise<void> => {
    for (const folder of [processFolder({ home }), gateFolder({ home })])
      for (const name of existsSync(folder) ? runningNames(folder) : []) await stopProcess(folder, name, 1_000);
  };
  return {
    shared,
    one: stack,
    two: second,
    ...engine,
    ...database,
    there,
    gone,
    says: async (): Promise<string> => (await fetch(`http://127.0.0.1:${site.ports["api"]}/`)).text(),
    order: (what: string) => database.sql("INSERT INTO orders (what) VALUES ($1)", [what]),
    orders: async (): Promise<string[]> =>
      (await database.sql<{ what: string }>("SELECT what FROM orders ORDER BY id")).map(({ what }) => what),
    remove: async (): Promise<void> => {
      for (const one of [stack, second]) await gone(one);
      await server.remove();
      rmSync(shared, { recursive: true, force: true });
    },
  };
}

async function writeProject(folder: string, { host, port, user }: Endpoint, driver: string, more: Record<string, unknown>): Promise<void> {
  mkdirSync(join(folder, "stacks"), { recursive: true });
  const provider = { name: "backout", path: join(PROJECT, "provider") };
  const runtime = { name: "nodejs", options: { typescript: false } };
  const project = { name: "shop", main: "main.ts", runtime, stackConfigDir: "stacks", plugins: { providers: [provider] } };
  writeFileSync(join(folder, "Pulumi.yaml"), stringify(project));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}\n');
  writeFileSync(join(folder, "main.ts"), PROGRAM);
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  for (const [name, sql] of Object.entries(MIGRATIONS)) {
    mkdirSync(join(folder, "migrations", name), { recursive: true });
    writeFileSync(join(folder, "migrations", name, "migration.sql"), sql);
  }
  const releases: Record<string, unknown> = {};
  for (const [release, schema] of Object.entries(RELEASES)) {
    const path = join("builds", release, "api");
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, "main.ts"), `// ${release}\n${SERVICE}`);
    releases[release] = { schema: { shop: schema }, services: { api: { path, sha256: await hashFolder(join(folder, path)) } } };
  }
  const [api, upstream] = await takeFreePorts(2);
  const config = {
    "backout:server": { host, port, user, driver },
    "backout:ports": { api, "api-upstream": upstream },
    "backout:releases": releases,
    "backout:release": "v1",
    "backout:standby": "never",
    ...more,
  };
  writeFileSync(join(folder, "stacks", "Pulumi.dev.yaml"), stringify({ config }));
}

/** The clone is another user's, who has the engine in a place of their own. */
function belongTo(user: number, shared: string, stack: EphemeralStack, engine: string): void {
  const [own, copy] = [join(shared, "user"), join(shared, "engine")];
  mkdirSync(own);
  cpSync(engine, copy, { recursive: true });
  for (const folder of [own, stack.folder])
    for (const path of [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))])
      if (!path.startsWith(join(folder, "node_modules"))) chownSync(path, user, user);
  Object.assign(stack.environment, {
    HOME: own,
    XDG_CACHE_HOME: undefined,
    NODE_COMPILE_CACHE: join(own, "compiled"),
    PATH: [copy, stack.environment["PATH"]!.replace(engine, copy)].join(delimiter),
    BACKOUT_ENGINE_SOURCES: "path",
    BACKOUT_ENGINE_CACHE: join(own, "engines"),
  });
}
