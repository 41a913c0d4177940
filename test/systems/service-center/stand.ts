/** Service Center on a real server: a database at either schema, and the program of either release as a process. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type pg from "pg";
import { connect } from "../../../databases/postgres/connection.ts";
import { applyMigration } from "../../../databases/postgres/migrations.ts";
import { type Migration } from "../../../databases/shared/migrations/script.ts";
import { ensureDatabase, ensureRole, grantServices } from "../../../databases/postgres/roles.ts";
import { DATABASE } from "../../../systems/service-center/api.ts";
import { definition as serviceCenter } from "../../../systems/service-center/definition.ts";
import { startServer, type TestServer } from "../../databases/postgres/embedded.ts";

export const MIGRATIONS: Migration[] = serviceCenter.databases[DATABASE]!.migrations.map(({ name, path }) => ({
  name,
  folder: join(serviceCenter.folder, path),
  ledger: "supabase",
}));
export const CONFIG: Record<string, Record<string, string>> = {
  "phase-1": { NEXT_PUBLIC_SUPABASE_URL: "https://service-center.example.org", SETUP_REGION: "central" },
  "phase-2": {
    NEXT_PUBLIC_SUPABASE_URL: "https://service-center.example.org",
    SETUP_REGION: "central",
    PHASE2_MY_TASKS: "on",
    PHASE2_TEMPLATES: "on",
    FAULTS_ENABLED: "1",
  },
};
export const secret = (name: string): string => `secret of ${name}`;

export interface App {
  url: string;
  release: string;
  stop(): Promise<void>;
}

export interface Stand {
  server: TestServer;
  admin: pg.Client;
  /** Applies the migrations a release needs. */
  migrate(release: string): Promise<void>;
  start(release: string, config?: Record<string, string>): Promise<App>;
  remove(): Promise<void>;
}

export async function makeStand(): Promise<Stand> {
  const server = await startServer();
  await ensureRole(server.admin, { name: "owner", password: "owner", login: false });
  await ensureRole(server.admin, { name: "services", password: "services", login: true });
  await ensureDatabase(server.admin, { name: DATABASE, owner: "owner" });
  const admin = await connect(server.endpoint, DATABASE);
  const apps: App[] = [];
  return {
    server,
    admin,
    migrate: async (release) => {
      for (const migration of MIGRATIONS.slice(0, release === "phase-1" ? 2 : 5))
        await applyMigration(admin, migration, { owner: "owner" });
      await grantServices(admin, { database: DATABASE, role: "services", owner: "owner" });
    },
    start: async (release, config = CONFIG[release]!) => {
      const app = await startApp(release, config, `postgresql://services:services@127.0.0.1:${server.port}/${DATABASE}`);
      apps.push(app);
      return app;
    },
    remove: async () => {
      for (const app of apps) await app.stop();
      await admin.end();
      await server.remove();
    },
  };
}

async function startApp(release: string, config: Record<string, string>, url: string): Promise<App> {
  const described = serviceCenter.services["app"]!;
  const environment = described.environment!({ port: 0, release, config, secret, databaseUrl: () => url });
  const child = spawn(process.execPath, [join(serviceCenter.folder, "releases", release, "app", described.entry!)], {
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let [output, ended] = ["", false];
  const exited = new Promise<void>((resolve) =>
    child.once("close", () => {
      ended = true;
      resolve();
    }),
  );
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  for (;;) {
    const port = /"message":"listening","port":(\d+)/.exec(output)?.[1];
    if (port !== undefined)
      return {
        url: `http://127.0.0.1:${port}`,
        release,
        stop: async () => {
          child.kill("SIGTERM");
          await exited;
        },
      };
    if (ended) throw new Error(`the program ended: ${output}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
