/** A PostgreSQL that is not ours: Debian's, with its own client tools and the `dump` driver. */
import { existsSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DESTROY_DATA } from "../../rollout/destroy.ts";
import { migrationsOf } from "../../databases/shared/migrations/of-definition.ts";
import { ownerRole, servicesRole } from "../../config/site.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { applyMigration } from "../../databases/postgres/migrations.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "../databases/postgres/drivers/debian-server.ts";
import { makeStand, PINS, succeeded, type Stand } from "./stand.ts";

const missing = missingDebianServer();
let server: DebianServer | undefined;
let stand: Stand;

beforeAll(async () => {
  if (missing !== null) return;
  server = await startDebianServer();
  process.env["BACKOUT_SERVER_PASSWORD"] = server.endpoint.password;
});
afterAll(async () => {
  await server?.stop();
  delete process.env["BACKOUT_SERVER_PASSWORD"];
});

describe("an external server with the dump driver", () => {
  beforeAll(async () => {
    if (server === undefined) return;
    const { host, port, user } = server.endpoint;
    stand = await makeStand({ edits: [{ path: ["server"], value: { host, port, user, driver: "dump" } }] });
  });
  afterAll(async () => {
    if (server !== undefined) await stand.destroy();
  });

  test("deploys, dumps the snapshot, makes its standby copy, and rolls the data back with a cut-over by rename", async (context) => {
    if (missing !== null) return context.skip(missing);
    await stand.upWell();
    await stand.insertWell("BEFORE-1");
    await stand.upWell([...PINS.forward]);
    await stand.untilStandby();
    const [snapshot] = await stand.snapshots();
    expect(snapshot).toMatchObject({ driver: "dump", name: "before-v4.0.0", generation: 1 });
    expect(existsSync(snapshot!.location)).toBe(true);
    await stand.insertWell("SINCE-1", "SINCE-2");
    await stand.upWell(PINS.restore("before-v4.0.0@1"));
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.ids()).toEqual(["BEFORE-1"]);
    const exported = await stand.exports(3);
    expect(exported.filter(({ path }) => /pfa_records.*jsonl$/.test(path)).map(({ rows }) => Number(rows))).toEqual([2]);
    expect(await stand.lost(["BEFORE-1", "SINCE-1", "SINCE-2"])).toEqual([]);
  });

  test("a preview without reach says that data at risk is unknown; an update without reach fails before anything stops", async (context) => {
    if (missing !== null) return context.skip(missing);
    const before = stand.pids();
    const port = stand.site.ports["worker"]!;
    const preview = succeeded(
      await stand.preview([
        { path: ["server", "port"], value: port + 1 },
        { path: ["release"], value: "v4.0.0" },
        { path: ["data"], value: "current" },
      ]),
    );
    expect(preview.output).toMatch(/data at risk is unknown/);
    const update = await stand.up();
    expect(update.code).not.toBe(0);
    expect(update.output).toMatch(/cannot reach database .* Nothing was stopped/);
    expect(stand.pids()).toEqual(before);
    expect(await stand.version()).toBe("v3.0.0");
    await stand.upWell([{ path: ["server", "port"], value: server!.endpoint.port }, ...PINS.restore("before-v4.0.0@1")]);
    expect(stand.pids()).toEqual(before);
  });
});

describe("a live database of somebody else, in use and with data in it", () => {
  const at = <Row extends pg.QueryResultRow>(database: string, text: string, values: unknown[] = []): Promise<Row[]> =>
    withSession(server!.endpoint, database, async (client) => (await client.query<Row>(text, values)).rows);

  /** A shop's database, with the tables that the release needs and one of its own. */
  async function shop(name: string, { definition }: Pick<Stand, "definition">): Promise<void> {
    await at("postgres", `CREATE DATABASE ${name} OWNER shopapp`);
    for (const statement of [
      `COMMENT ON DATABASE ${name} IS 'the shop'`,
      `ALTER DATABASE ${name} SET work_mem = '5MB'`,
      `ALTER ROLE shopapp IN DATABASE ${name} SET lock_timeout = '9s'`,
      `ALTER DATABASE ${name} CONNECTION LIMIT 40`,
      `GRANT CREATE ON DATABASE ${name} TO reader`,
    ])
      await at("postgres", statement);
    await withSession(server!.endpoint, name, async (client) => {
      await client.query("GRANT CREATE ON SCHEMA public TO shopapp");
      const known = migrationsOf(definition, "pfa").slice(0, 2);
      for (const migration of known) await applyMigration(client, migration, { owner: "shopapp" });
      await client.query(
        `SET ROLE shopapp; CREATE TABLE orders (id serial PRIMARY KEY, note text);
         INSERT INTO orders (note) SELECT 'order ' || i FROM generate_series(1, 500) i; GRANT SELECT ON orders TO reader`,
      );
    });
  }

  /** Everything of it that is its users'; what a migration adds is not. */
  async function theirs(name: string) {
    const [database] = await at(
      "postgres",
      `SELECT d.datdba::regrole::text AS owner, d.datconnlimit AS limit, d.datallowconn AS open, shobj_description(d.oid, 'pg_database') AS comment,
         ARRAY(SELECT a::text FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a ORDER BY 1) AS acl,
         has_database_privilege('stranger', d.oid, 'CONNECT') AS connect,
         ARRAY(SELECT setrole::regrole || ' ' || entry FROM pg_db_role_setting, unnest(setconfig) entry WHERE setdatabase = d.oid ORDER BY 1) AS settings
       FROM pg_database d WHERE d.datname = $1`,
      [name],
    );
    const objects = await at(
      name,
      `SELECT c.relname, c.relowner::regrole::text AS owner, ARRAY(SELECT a::text FROM aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a ORDER BY 1) AS acl
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') AND c.relname NOT IN ('pfa_write_queue', 'pfa_sync_conflict', 'feature_flags')
         AND c.relname NOT LIKE 'pfa\\_write\\_queue%' AND c.relname NOT LIKE 'pfa\\_sync%' ORDER BY 1`,
    );
    const schema = await at(
      name,
      `SELECT nspname, nspowner::regrole::text AS owner, ARRAY(SELECT a::text FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a ORDER BY 1) AS acl FROM pg_namespace WHERE nspname = 'public'`,
    );
    const defaults = await at(name, "SELECT defaclrole::regrole::text AS role, defaclacl::text AS acl FROM pg_default_acl ORDER BY 1, 2");
    return { database, objects, schema, defaults };
  }

  test.for(["dump", "in-place"] as const)(
    "by %s: taken over with its data, deployed, and as it was after destroy",
    async (driver, context) => {
      if (missing !== null) return context.skip(missing);
      for (const role of ["shopapp LOGIN PASSWORD 'shopapp'", "reader", "stranger LOGIN"])
        await at("postgres", `CREATE ROLE ${role}`).catch((error: { code?: string }) => expect(error.code).toBe("42710"));
      const { host, port, user } = server!.endpoint;
      const name = `shop_${driver.replace("-", "_")}`;
      const adopting = await makeStand({
        edits: [
          { path: ["server"], value: { host, port, user, driver, databases: { pfa: name } } },
          { path: ["keptAs"], value: driver },
          { path: ["adopt"], value: true },
        ],
      });
      try {
        await shop(name, adopting);
        const program = () => withProgram(name, (client) => client.query("INSERT INTO orders (note) VALUES ('from the shop')"));
        await program();
        const before = await theirs(name);
        await adopting.upWell();
        expect(await adopting.version()).toBe("v3.0.0");
        await program();
        await adopting.upWell(PINS.forward);
        expect(await adopting.version()).toBe("v4.0.0");
        await program();
        succeeded(await adopting.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: "keep" }));
        expect(await theirs(name)).toEqual(before);
        await program();
        expect(await at(name, "SELECT count(*)::int AS rows FROM orders")).toEqual([{ rows: 504 }]);
        const own = [servicesRole(adopting.site), ownerRole(adopting.site)];
        // Copies that stay grant to the stack's roles; the database itself knows nothing of them any more.
        expect(
          await at(
            "postgres",
            `SELECT r.rolname FROM pg_roles r JOIN pg_shdepend s ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid, pg_database d
           WHERE r.rolname = ANY ($1) AND d.datname = $2 AND (s.dbid = d.oid OR s.classid = 'pg_database'::regclass AND s.objid = d.oid)`,
            [own, name],
          ),
        ).toEqual([]);
      } finally {
        await adopting.destroy();
      }
    },
  );

  async function withProgram<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { host, port } = server!.endpoint;
    const client = new pg.Client({ host, port, user: "shopapp", password: "shopapp", database, application_name: "web" });
    await client.connect();
    return work(client).finally(() => client.end());
  }
});
