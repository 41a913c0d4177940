/** A database as a hosting provider gives it: its owner is no superuser, may make no second database and may not rename this one. */
import type pg from "pg";
import { connect } from "../../../databases/postgres/connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import { startDebianServer, type DebianServer } from "../postgres/drivers/debian-server.ts";

export const SERVICES = "app_services";

export interface Hosted {
  server: DebianServer;
  /** The owner's way in. */
  endpoint: Endpoint;
  /** A new database, owned by the owner, with a session of the owner's in it. */
  database(name: string): Promise<pg.Client>;
  /** A session of anybody's. */
  as(user: string, password: string, database: string): Promise<pg.Client>;
  stop(): Promise<void>;
}

export async function startHosted(): Promise<Hosted> {
  const server = await startDebianServer();
  const open: pg.Client[] = [];
  const admin = await connect(server.endpoint, "postgres");
  await admin.query("CREATE ROLE hosted LOGIN CREATEROLE NOCREATEDB NOSUPERUSER PASSWORD 'hosted'");
  await admin.query(`CREATE ROLE ${SERVICES} LOGIN PASSWORD 'services'`);
  await admin.query(`GRANT ${SERVICES} TO hosted`);
  open.push(admin);
  const endpoint: Endpoint = { ...server.endpoint, user: "hosted", password: "hosted" };
  const keep = async (session: Promise<pg.Client>): Promise<pg.Client> => {
    const client = await session;
    open.push(client);
    return client;
  };
  return {
    server,
    endpoint,
    database: async (name) => {
      await admin.query(`CREATE DATABASE ${quote(name)} OWNER hosted`);
      return keep(connect(endpoint, name));
    },
    as: (user, password, database) => keep(connect({ ...server.endpoint, user, password }, database)),
    stop: async () => {
      for (const client of open) await client.end().catch(() => undefined);
      await server.stop();
    },
  };
}
