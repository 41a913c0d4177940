/** Radiation Health Monitoring on a real server: databases at either schema, the five programs of either release as processes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rawConfig } from "../../../config/edit.ts";
import { parseConfig } from "../../../config/parse.ts";
import { connect } from "../../../databases/postgres/connection.ts";
import { applyMigration } from "../../../databases/postgres/migrations.ts";
import { type Migration } from "../../../databases/shared/migrations/script.ts";
import { ensureDatabase, ensureRole, grantServices } from "../../../databases/postgres/roles.ts";
import type { DrillContext } from "../../../config/system/drill.ts";
import type { CheckContext } from "../../../config/system/check.ts";
import { definition as radiationHealth } from "../../../systems/radiation-health/definition.ts";
import { DATABASE } from "../../../systems/radiation-health/api.ts";
import { accessTo } from "../../support/access.ts";
import { startServer } from "../../databases/postgres/embedded.ts";
import { startProgram, type Program, type TestDatabase } from "../stand.ts";

export const SERVICES = Object.keys(radiationHealth.services);
export const MIGRATIONS: Migration[] = radiationHealth.databases[DATABASE]!.migrations.map(({ name, path }) => ({
  name,
  folder: join(radiationHealth.folder, path),
}));
export const OWNER = "owner";
const SECRETS: Record<string, string> = { "test-user-password": "open sesame", jwt: "jwt secret" };
const secret = (name: string): string => SECRETS[name]!;
const STACK = readFileSync(join(import.meta.dirname, "../../../stacks/Pulumi.radiation-health.yaml"), "utf8");
const { releases: LEDGER } = parseConfig(rawConfig(STACK));

export type Stand = Awaited<ReturnType<typeof makeStand>>;
export type Programs = Record<string, Program>;

export async function makeStand() {
  const server = await startServer();
  const closing: (() => Promise<unknown>)[] = [];
  await ensureRole(server.admin, { name: OWNER, password: OWNER, login: false });
  await ensureRole(server.admin, { name: "services", password: "services", login: true });
  const start = async (service: string, release: string, database: TestDatabase, own: Record<string, string> = {}): Promise<Program> => {
    const config = { ...LEDGER[release]!.services[service]!.config, ...own };
    const definition = radiationHealth.services[service]!;
    const environment = definition.environment!({ port: 0, release, config, secret, databaseUrl: () => database.url });
    const program = await startProgram(join(radiationHealth.folder, "releases", release, service, definition.entry!), release, environment);
    closing.push(() => program.stop());
    return program;
  };
  return {
    makeDatabase: async (name: string, schema: string): Promise<TestDatabase> => {
      await ensureDatabase(server.admin, { name, owner: OWNER });
      const admin = await connect(server.endpoint, name);
      closing.push(() => admin.end());
      for (const migration of schema === "v1.8.0" ? MIGRATIONS.slice(0, 1) : MIGRATIONS)
        await applyMigration(admin, migration, { owner: OWNER });
      await grantServices(admin, { database: name, role: "services", owner: OWNER });
      return { name, admin, url: `postgresql://services:services@127.0.0.1:${server.port}/${name}` };
    },
    start,
    startAll: async (release: string, database: TestDatabase, config: Record<string, string> = {}): Promise<Programs> =>
      Object.fromEntries(await Promise.all(SERVICES.map(async (name) => [name, await start(name, release, database, config)] as const))),
    remove: async () => {
      for (const close of closing.reverse()) await close();
      await server.remove();
    },
  };
}

const observing = (programs: Programs) => async (service: string) => {
  const program = programs[service]!;
  const running = program.running();
  return Promise.resolve({ running, release: running ? program.release : null, pid: running ? program.pid : null });
};

/** Without a gate: nothing is in front. */
export function checkContext(programs: Programs, database: TestDatabase, change: Partial<CheckContext> = {}): CheckContext {
  return {
    url: (service) => programs[service]!.url,
    fetch: (url, init) => fetch(url, init),
    ...accessTo(database.admin),
    connection: () => Promise.resolve(database.url),
    releases: Object.fromEntries(SERVICES.map((name) => [name, programs[name]!.release])),
    running: Object.fromEntries(SERVICES.map((name) => [name, true])),
    secret,
    baseline: null,
    dataRestored: false,
    open: false,
    counting: change.open === true ? "any" : "exact",
    errorLog: async (service) => Promise.resolve(programs[service]!.errorLines()),
    flags: {},
    maintenance: { mode: "off", message: "" },
    schema: "keep",
    observe: observing(programs),
    ...change,
  };
}

export function drillContext(programs: Programs, database: TestDatabase): DrillContext {
  return {
    url: (service) => programs[service]!.url,
    ...accessTo(database.admin),
    secret,
    observe: observing(programs),
    runs: () => true,
    home: "",
    folder: "",
  };
}
