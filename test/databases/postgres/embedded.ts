/** A real server for one test file, in a temporary folder on a free port. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { connect } from "../../../databases/postgres/connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import { ensureServer, removeServer, type ServerState } from "../../../databases/postgres/server.ts";
import { freePort } from "../../support/free-port.ts";

export interface TestServer {
  home: string;
  port: number;
  endpoint: Endpoint;
  state: ServerState;
  /** A session in a new state database. */
  admin: pg.Client;
  /** Makes an empty database with a name of its own. */
  database(name: string): Promise<string>;
  remove(): Promise<void>;
}

export async function startServer(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "backout-postgres-"));
  await chmod(folder, 0o755);
  const home = join(folder, "server");
  const port = await freePort();
  const state = await ensureServer({ home, port, superuser: "backout" });
  const endpoint = { host: "127.0.0.1", port, user: "backout", passwordFile: state.passwordFile };
  const admin = await connect(endpoint, "postgres");
  await admin.query("CREATE DATABASE maintenance");
  await admin.end();
  const session = await connect(endpoint, "maintenance");
  return {
    home,
    port,
    endpoint,
    state,
    admin: session,
    database: async (name) => {
      await session.query(`CREATE DATABASE ${quote(name)}`);
      return name;
    },
    remove: async () => {
      await session.end().catch(() => undefined);
      await removeServer(home);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
