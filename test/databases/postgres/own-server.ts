/** A PostgreSQL server of a test file's own, and databases in it by name. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { connect } from "../../../databases/postgres/connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import { ensureServer, removeServer, stopServer } from "../../../databases/postgres/server.ts";
import { freePort } from "../../support/free-port.ts";

export interface OwnServer {
  endpoint: Endpoint;
  /** A session in a new database; `template` copies another one, which must have no session. */
  create(name: string, template?: string): Promise<pg.Client>;
  open(name: string): Promise<pg.Client>;
  remove(): Promise<void>;
}

/** @param settings of the server, which it is started with once more */
export async function ownServer(settings: Record<string, string> = {}): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), "backout-postgres-"));
  const home = join(folder, "server");
  const port = await freePort();
  const { passwordFile } = await ensureServer({ home, port, superuser: "backout" });
  const endpoint: Endpoint = { host: "127.0.0.1", port, user: "backout", passwordFile };
  const sessions: pg.Client[] = [];
  const open = async (name: string) => {
    const session = await connect(endpoint, name);
    sessions.push(session);
    return session;
  };
  if (Object.keys(settings).length > 0) {
    const first = await connect(endpoint, "postgres");
    for (const [name, value] of Object.entries(settings)) await first.query(`ALTER SYSTEM SET ${quote(name)} = '${value}'`);
    await first.end();
    await stopServer(home, { mode: "fast" });
    await ensureServer({ home, port, superuser: "backout" });
  }
  const admin = await open("postgres");
  return {
    endpoint,
    open,
    async create(name, template = "template0") {
      await admin.query(`CREATE DATABASE ${quote(name)} TEMPLATE ${quote(template)}`);
      return open(name);
    },
    async remove() {
      await Promise.allSettled(sessions.map((session) => session.end()));
      await removeServer(home);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
