/** Solar Panel on a real server: databases at either schema, the line of either release as a process. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type pg from "pg";
import { connect } from "../../../databases/postgres/connection.ts";
import { applyMigration } from "../../../databases/postgres/migrations.ts";
import { type Migration } from "../../../databases/shared/migrations/script.ts";
import { ensureDatabase, ensureRole, grantServices } from "../../../databases/postgres/roles.ts";
import { definition as solarPanel } from "../../../systems/solar-panel/definition.ts";
import { startServer, type TestServer } from "../../databases/postgres/embedded.ts";

export const MIGRATIONS: Migration[] = solarPanel.databases["solar"]!.migrations.map(({ name, path }) => ({
  name,
  folder: join(solarPanel.folder, path),
}));

export interface SolarStand {
  server: TestServer;
  /** An administrative session in a new database with the first `migrations` of them; all unless given. */
  database(name: string, migrations?: number): Promise<pg.Client>;
  /** A copy of a database nobody is in. */
  copy(name: string, of: string): Promise<pg.Client>;
  /** The line service, over the services' own role. Resolves with its URL. */
  line(release: string, database: string, config?: Record<string, string>): Promise<string>;
  remove(): Promise<void>;
}

export async function makeSolarStand(): Promise<SolarStand> {
  const server = await startServer();
  const closing: (() => Promise<unknown>)[] = [];
  await ensureRole(server.admin, { name: "owner", password: "owner", login: false });
  await ensureRole(server.admin, { name: "services", password: "services", login: true });
  return {
    server,
    database: async (name, migrations = MIGRATIONS.length) => {
      await ensureDatabase(server.admin, { name, owner: "owner" });
      const client = await connect(server.endpoint, name);
      closing.push(() => client.end());
      for (const migration of MIGRATIONS.slice(0, migrations)) await applyMigration(client, migration, { owner: "owner" });
      await grantServices(client, { database: name, role: "services", owner: "owner" });
      return client;
    },
    copy: async (name, of) => {
      await server.admin.query(`CREATE DATABASE ${name} TEMPLATE ${of} OWNER owner`);
      const client = await connect(server.endpoint, name);
      closing.push(() => client.end());
      return client;
    },
    line: async (release, database, config = {}) => {
      const service = solarPanel.services["line"]!;
      const databaseUrl = (): string => `postgresql://services:services@127.0.0.1:${server.port}/${database}`;
      const given = service.environment!({ port: 0, release, config, secret: (name) => `secret ${name}`, databaseUrl });
      const child = spawn(process.execPath, [join(solarPanel.folder, "releases", release, "line", service.entry!)], {
        env: { PATH: process.env["PATH"], ...given },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = new Promise((resolve) => child.once("close", resolve));
      closing.push(async () => (child.kill("SIGTERM"), exited));
      let text = "";
      return new Promise((resolve, reject) => {
        child.stdout.on("data", (chunk: Buffer) => {
          text += chunk.toString("utf8");
          const port = /"message":"listening","port":(\d+)/.exec(text)?.[1];
          if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
        });
        child.once("close", (code) => reject(new Error(`the line ended with ${code}: ${text}`)));
      });
    },
    remove: async () => {
      for (const close of closing.reverse()) await close();
      await server.remove();
    },
  };
}
