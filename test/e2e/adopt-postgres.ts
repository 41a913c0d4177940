/** A shop on a PostgreSQL of somebody else's: what its users have, and its application. */
import { join } from "node:path";
import pg from "pg";
import type { PinEdit } from "../../config/edit.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "../databases/postgres/drivers/debian-server.ts";
import type { Session } from "./adopt-stand.ts";

export const DEFINITION = join(import.meta.dirname, "adopt-shop", "definition.ts");
export const RELEASES = { v1: "1_orders", v2: "2_notes" };
export const missing = missingDebianServer();
let server: DebianServer;

export async function startShops(): Promise<void> {
  if (missing !== null) return;
  server = await startDebianServer();
  process.env["BACKOUT_SERVER_PASSWORD"] = server.endpoint.password;
  for (const role of ["shopapp LOGIN PASSWORD 'shopapp'", "web LOGIN PASSWORD 'web'", "reader"])
    await at("postgres", `CREATE ROLE ${role}`);
}
export async function stopShops(): Promise<void> {
  await server?.stop();
  delete process.env["BACKOUT_SERVER_PASSWORD"];
}

export const at = <Row extends pg.QueryResultRow>(database: string, text: string, values: unknown[] = []): Promise<Row[]> =>
  withSession(server.endpoint, database, async (client) => (await client.query<Row>(text, values)).rows);

/** 5,000 orders, an application role beside the owner, a table with policies, settings and limits. */
export async function makeShop(name: string): Promise<void> {
  for (const statement of [
    `CREATE DATABASE ${name} OWNER shopapp`,
    `COMMENT ON DATABASE ${name} IS 'the shop'`,
    `ALTER DATABASE ${name} SET work_mem = '5MB'`,
    `ALTER ROLE web IN DATABASE ${name} SET lock_timeout = '9s'`,
    `ALTER DATABASE ${name} CONNECTION LIMIT 40`,
    `REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${name} TO web`,
  ])
    await at("postgres", statement);
  await at(
    name,
    `GRANT CREATE ON SCHEMA public TO shopapp; SET ROLE shopapp;
     CREATE TABLE orders (id bigserial PRIMARY KEY, what text NOT NULL);
     INSERT INTO orders (what) SELECT 'order ' || i FROM generate_series(1, 5000) i;
     CREATE TABLE entries (id serial PRIMARY KEY, owner text NOT NULL); ALTER TABLE entries ENABLE ROW LEVEL SECURITY;
     CREATE POLICY own ON entries TO web USING (owner = current_user); INSERT INTO entries (owner) VALUES ('web'), ('other');
     GRANT SELECT, INSERT ON orders, entries TO web; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO web; GRANT SELECT ON orders TO reader;
     ANALYZE`,
  );
}

/** The application, as its own role. */
export async function web(name: string): Promise<Session> {
  const client = new pg.Client({
    host: "127.0.0.1",
    port: server.endpoint.port,
    user: "web",
    password: "web",
    database: name,
    application_name: "web",
  });
  client.on("error", () => undefined);
  await client.connect();
  return {
    write: async (id) => void (await client.query("INSERT INTO orders (id, what) VALUES ($1, 'from the web')", [id])),
    end: () => client.end(),
  };
}

/** Everything of a database that is its users'. */
export async function theirs(name: string) {
  const [database] = await at(
    "postgres",
    `SELECT d.datdba::regrole::text AS owner, d.datconnlimit AS limit, d.datallowconn AS open, d.datacl::text AS acl, shobj_description(d.oid, 'pg_database') AS comment,
       ARRAY(SELECT setrole::regrole || ' ' || entry FROM pg_db_role_setting, unnest(setconfig) entry WHERE setdatabase = d.oid ORDER BY 1) AS settings
     FROM pg_database d WHERE d.datname = $1`,
    [name],
  );
  const objects = await at(
    name,
    `SELECT c.relname, c.relowner::regrole::text AS owner, c.relrowsecurity AS rls, ARRAY(SELECT a::text FROM aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a ORDER BY 1) AS acl
     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') AND c.relname !~ '^_prisma' ORDER BY 1`,
  );
  const schema = await at(
    name,
    "SELECT nspowner::regrole::text AS owner, ARRAY(SELECT a::text FROM aclexplode(nspacl) a ORDER BY 1) AS acl FROM pg_namespace WHERE nspname = 'public'",
  );
  const policies = await at(name, "SELECT policyname, roles::text, qual FROM pg_policies ORDER BY 1");
  const defaults = await at(name, "SELECT defaclrole::regrole::text AS role, defaclacl::text AS acl FROM pg_default_acl ORDER BY 1, 2");
  return { database, objects, schema, policies, defaults };
}

export function wherever(name: string, driver: string): PinEdit[] {
  const { host, port, user } = server.endpoint;
  return [
    { path: ["server"], value: { host, port, user, driver, databases: { shop: name } } },
    { path: ["backups"], value: { keep: 5, quarantines: 5 } },
  ];
}
