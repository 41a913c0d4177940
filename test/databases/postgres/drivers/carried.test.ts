/** What the drivers template and dump carry: everything that is in the database, in place of what a newer release made of it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { connect } from "../../../../databases/postgres/connection.ts";
import { dumpDriver } from "../../../../databases/postgres/drivers/dump.ts";
import { templateDriver } from "../../../../databases/postgres/drivers/template.ts";
import { sessionInside } from "../../../../databases/postgres/fence.ts";
import { toldBy } from "../told.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "./debian-server.ts";

const missing = missingDebianServer();

const EVERYTHING = `
  CREATE ROLE anon; CREATE EXTENSION citext; CREATE SCHEMA extensions; CREATE EXTENSION "uuid-ossp" SCHEMA extensions; CREATE EXTENSION postgres_fdw;
  CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere'); CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'u'); CREATE FOREIGN TABLE ft (i int) SERVER far;
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO anon; CREATE TABLE ci (id uuid PRIMARY KEY DEFAULT extensions.uuid_generate_v4(), email citext, body oid, n bigint GENERATED ALWAYS AS IDENTITY);
  INSERT INTO ci (id, email, body) VALUES ('0df9d5a5-1f5c-4a4e-8a5e-1f1f1f1f1f1f', 'A@x', lo_from_bytea(16384, 'kept')); CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM ci;
  CREATE COLLATION german (provider = icu, locale = 'de'); CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple); CREATE OPERATOR FAMILY fam USING btree; CREATE PUBLICATION told FOR TABLE ci;
  CREATE TYPE span AS RANGE (SUBTYPE = float8); CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION watch();
  ALTER EVENT TRIGGER watching DISABLE; CREATE TABLE part (i int) PARTITION BY LIST (i); CREATE TABLE rest PARTITION OF part DEFAULT; INSERT INTO part VALUES (7);
  ALTER TABLE ci ENABLE ROW LEVEL SECURITY; ALTER TABLE ci FORCE ROW LEVEL SECURITY; CREATE POLICY own ON ci USING (email = current_user::text); COMMENT ON TABLE ci IS 'a table'`;

describe.skipIf(missing !== null)("the drivers that make a database of a snapshot", () => {
  let server: DebianServer;
  let admin: pg.Client;
  let folder: string;
  beforeAll(async () => {
    server = await startDebianServer();
    admin = await connect(server.endpoint, "maintenance");
    folder = await mkdtemp(join(tmpdir(), "backout-carried-"));
    await admin.query("CREATE DATABASE shop TEMPLATE template0");
    const session = await connect(server.endpoint, "shop");
    await session.query(EVERYTHING);
    await session.end();
  }, 120_000);
  afterAll(async () => {
    await admin.end();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(["template", "dump"] as const)("%s carries everything that is in the database", async (name) => {
    const open = await connect(server.endpoint, "shop");
    const before = await toldBy(server.endpoint, open, "shop");
    await open.end();
    const driver = name === "template" ? templateDriver({ admin }) : dumpDriver({ admin, endpoint: server.endpoint });
    const snapshot = await driver.take("shop", name === "template" ? "shop_pristine" : join(folder, "shop"));
    await driver.restoreTo(snapshot, `shop_${name}`);
    const inside = await sessionInside(server.endpoint, admin, `shop_${name}`);
    await admin.query(`ALTER DATABASE shop_${name} ALLOW_CONNECTIONS true CONNECTION LIMIT -1`);
    expect(await toldBy(server.endpoint, inside, `shop_${name}`)).toEqual(before);
    await inside.end();
  });

  test("the client tools get the password that sessions take from PGPASSWORD", async () => {
    const { password, ...endpoint } = server.endpoint;
    const driver = dumpDriver({ admin, endpoint });
    await expect(driver.take("shop", join(folder, "without"))).rejects.toThrow(/password/);
    vi.stubEnv("PGPASSWORD", password);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await driver.take("shop", join(folder, "with"))).toMatchObject({ location: join(folder, "with") });
  });
});
