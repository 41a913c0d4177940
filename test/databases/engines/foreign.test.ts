/** Databases that somebody else made and uses, on a real server: told, taken over as they are, and given back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { claimRecord, identityAt } from "../../../state/identity.ts";
import { createState } from "../../../databases/open-state.ts";
import type { StateStore } from "../../../config/record.ts";
import { rolesOfOthers } from "../../../databases/postgres/engine/role-owners.ts";
import { postgres } from "./whole.ts";
import type { DatabasePlan } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { endpointOf, secretOf, servicesRole, type Site } from "../../../config/site.ts";
import { connect, passwordOf, withSession } from "../../../databases/postgres/connection.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { definitionIn } from "./postgres-stand.ts";

let server: OwnServer;
let folder: string;
let definition: SystemDefinition;
const opened: StateStore[] = [];
beforeAll(async () => {
  server = await ownServer();
  folder = mkdtempSync(join(tmpdir(), "backout-foreign-"));
  definition = definitionIn(folder);
  await admin("CREATE ROLE shopapp LOGIN PASSWORD 'shopapp'");
  await admin("CREATE ROLE reader");
}, 60_000);
afterAll(async () => {
  for (const state of opened) await state.end();
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const NONE: DatabasePlan = { action: { kind: "none" }, up: [], back: [], backBy: "keep" };
const admin = (sql: string) => withSession(server.endpoint, "postgres", (client) => client.query(sql));

/** A shop's database in use: 5,000 orders, owned by its program, which is in it. */
async function shop(name: string): Promise<pg.Client> {
  await admin(`CREATE DATABASE ${quote(name)} OWNER shopapp`);
  const program = new pg.Client({
    host: "127.0.0.1",
    port: server.endpoint.port,
    user: "shopapp",
    password: "shopapp",
    database: name,
    application_name: "web",
  });
  program.on("error", () => undefined);
  await program.connect();
  await withSession(server.endpoint, name, (client) => client.query("GRANT CREATE ON SCHEMA public TO shopapp"));
  await program.query(
    "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT i, 'x' FROM generate_series(1, 5000) i",
  );
  await program.query("CREATE TABLE _prisma_migrations (migration_name text)");
  await program.query("ANALYZE");
  return program;
}

function siteOf(live: string, more: Partial<Site> = {}): Site {
  const { port, user } = server.endpoint;
  const stack = more.stack ?? live;
  return {
    stack,
    system: "shop",
    module: null,
    project: join(folder, stack),
    home: join(folder, stack, "home"),
    target: "process",
    server: {
      embedded: false,
      host: "127.0.0.1",
      port,
      user,
      password: passwordOf(server.endpoint)!,
      driver: "template",
      databases: { shop: live },
    },
    ports: {},
    files: {},
    ...more,
  };
}

async function runOf(site: Site, epoch = 1): Promise<Run> {
  const state = await createState(site, definition);
  opened.push(state);
  await claimRecord(state, site);
  return { site, definition, state, epoch, runId: `run-${epoch}`, log: () => undefined };
}

async function held(name: string) {
  const { rows } = await admin(
    `SELECT datacl::text AS acl, datdba::regrole::text AS owner, datconnlimit AS limit, datallowconn AS open FROM pg_database WHERE datname = ${pg.escapeLiteral(name)}`,
  );
  const rights = await withSession(server.endpoint, name, (client) =>
    client.query(
      "SELECT relname, relacl::text AS acl, relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
    ),
  ).then(
    (found) => found.rows as unknown[],
    () => "closed",
  );
  return { database: rows[0] as Record<string, unknown>, rights };
}

function killedAfter(state: StateStore): StateStore["keepFirst"] {
  return async (key, value) => {
    await state.keepFirst(key, value);
    throw new Error("killed");
  };
}

describe("a live database that somebody else made", () => {
  it("is told before anything is touched: owner, tables, rows, who is in it, its ledger, and how to take it over", async () => {
    const program = await shop("in use");
    const before = await held("in use");
    const [reason, ...others] = await postgres.foreign({ site: siteOf("in use"), definition, state: null }, "shop", NONE, []);
    expect(others).toEqual([]);
    expect(reason).toContain(
      'database "in use" was not made by this stack: it belongs to shopapp; has 2 table(s): orders with about 5000 rows',
    );
    expect(reason).toContain("in it now: shopapp (web); ledger of migrations: _prisma_migrations. Nothing was touched.");
    expect(reason).toContain("backout:adopt: true");
    expect(await held("in use")).toEqual(before);
    expect((await program.query("SELECT count(*)::int AS rows FROM orders")).rows).toEqual([{ rows: 5000 }]);
    const adopting = siteOf("in use", { adopt: true });
    expect(await postgres.foreign({ site: adopting, definition, state: null }, "shop", NONE, [])).toEqual([]);
    expect(
      (await postgres.foreign({ site: adopting, definition, state: null }, "shop", { ...NONE, up: ["001_init"] }, [])).join(),
    ).toContain("001_init would run on database");
    await program.end();
  });

  it("killed when it was taken over and nobody had been let in yet, the next run lets the services in", async () => {
    const program = await shop("begun");
    const site = siteOf("begun", { adopt: true });
    const run = await runOf(site);
    const { state } = run;
    // Kept and nothing else: there the first run ended.
    await expect(
      postgres.keepProperties(
        { ...run, state: Object.assign(Object.create(state) as StateStore, { keepFirst: killedAfter(state) }) },
        "shop",
        true,
      ),
    ).rejects.toThrow("killed");
    await postgres.keepProperties(run, "shop", true);
    const may = await withSession(server.endpoint, "begun", (client) =>
      client.query("SELECT has_table_privilege(rolname, 'orders', 'INSERT') AS may FROM pg_roles WHERE rolname = $1", [servicesRole(site)]),
    );
    expect(may.rows).toEqual([{ may: true }]);
    await program.end();
  });

  it("names the rights the administrative role lacks", async () => {
    const program = await shop("foreign");
    await admin("CREATE ROLE deployer LOGIN PASSWORD 'deployer'");
    const site = siteOf("foreign", { adopt: true });
    site.server = { ...site.server!, embedded: false, host: "127.0.0.1", user: "deployer", password: "deployer" };
    const reasons = await postgres.foreign({ site, definition, state: null }, "shop", NONE, []);
    for (const needed of ['GRANT "shopapp" TO "deployer"', 'ALTER ROLE "deployer" CREATEROLE', 'ALTER ROLE "deployer" CREATEDB'])
      expect(reasons.join()).toContain(needed);
    await program.end();
  });

  for (const [how, grants] of [
    ["open to all", ""],
    ["granted by name", "REVOKE CONNECT ON DATABASE %s FROM PUBLIC; GRANT CONNECT ON DATABASE %s TO reader"],
  ] as const)
    it(`${how}, is taken over as it is, used by the services, and given back as it was found, from an open stack or a closed one`, async () => {
      for (const closed of [false, true]) {
        const name = `shop ${how} ${closed}`;
        const program = await shop(name);
        for (const statement of grants.split("; ").filter((text) => text !== "")) await admin(statement.replace("%s", quote(name)));
        const before = await held(name);
        const site = siteOf(name, { adopt: true, stack: `${how.length}-${closed}` });
        const run = await runOf(site);
        await postgres.keepProperties(run, "shop", true);
        await postgres.close(run, "shop");
        await postgres.admit(run, "shop", "services");
        const services = await connect(
          { ...endpointOf(site), user: servicesRole(site), password: secretOf(site, "database"), passwordFile: undefined },
          name,
        );
        await services.query("UPDATE orders SET note = 'y' WHERE id = 1");
        await services.end();
        await expect(program.query("SELECT 1")).rejects.toThrow();
        if (closed) await postgres.close(run, "shop");
        else await postgres.admit(run, "shop", "everybody");
        if (!closed) expect((await held(name)).database["owner"]).toBe("shopapp");
        await run.state.beginRollout({ epoch: 1, rollout: "c", pins: {} as never, plan: {} as never, runId: "r", reason: null });
        await run.state.setState(1, closed ? "closed" : "open");
        await postgres.giveBack(run, "shop");
        const after = await held(name);
        expect(after.database).toEqual(before.database);
        // What was granted on a table and taken back leaves what the owner has by itself, written out.
        expect(JSON.stringify(after.rights)).not.toContain(servicesRole(site));
        expect((await admin(`SELECT FROM pg_roles WHERE rolname = '${servicesRole(site)}'`)).rowCount).toBe(0);
        await program.end().catch(() => undefined);
      }
    });

  it("that another stack's record knows is refused, whatever is declared", async () => {
    const program = await shop("shared");
    const run = await runOf(siteOf("first of two", { stack: "owner" }));
    await postgres.make(run, "shop");
    // It is the second database of that stack: its record lies beside the first.
    const record = run.state as unknown as { client: pg.Client };
    await record.client.query(
      "INSERT INTO databases (oid, name, database, role, lineage, epoch) SELECT oid::bigint, datname, 'other', 'live', '{}', 1 FROM pg_database WHERE datname = 'shared'",
    );
    await expect(postgres.foreign({ site: siteOf("shared", { adopt: true }), definition, state: null }, "shop", NONE, [])).rejects.toThrow(
      'belong to stack "owner"',
    );
    await program.end();
  });
});

describe("two stacks of one name, of two projects, on one server", () => {
  it("share no roles: the second is refused with the line that gives it its own, until the first is gone", async () => {
    const first = siteOf("north", { stack: "production", project: join(folder, "north"), home: join(folder, "north") });
    const second = siteOf("south", { stack: "production", project: join(folder, "south"), home: join(folder, "south") });
    expect(servicesRole(second)).toBe(servicesRole(first));
    expect(await rolesOfOthers(second)).toEqual([]);
    const run = await runOf(first);
    await postgres.make(run, "shop");
    expect(await rolesOfOthers(first)).toEqual([]);
    const [reason, ...others] = await rolesOfOthers(second);
    expect(others).toEqual([]);
    expect(reason).toMatch(
      /role "backout_shop_production_services" on the server is that of stack "production" of \S+north: .*Set backout:keptAs: production-2 .*, and run again/,
    );
    expect(await rolesOfOthers({ ...second, name: "production-2" })).toEqual([]);
    // Taken over by name, it is its own from then on.
    const { id } = identityAt(first.home)!;
    expect(await rolesOfOthers({ ...second, takeOver: id })).toEqual([]);
    await postgres.giveBack(run, "shop");
    expect(await rolesOfOthers(second)).toEqual([]);
  });

  it("what a provider would do all the same leaves the other's password as it is", async () => {
    const first = siteOf("east", { stack: "twin", home: join(folder, "east") });
    const second = siteOf("west", { stack: "twin", home: join(folder, "west") });
    await postgres.make(await runOf(first), "shop");
    await expect(runOf(second).then((run) => postgres.make(run, "shop"))).rejects.toThrow('is that of stack "twin"');
    const services = { ...endpointOf(first), user: servicesRole(first), password: secretOf(first, "database"), passwordFile: undefined };
    await (await connect(services, "postgres")).end();
  });
});

describe("what is in the way of an update, or is left behind by it", () => {
  it("is told by name: event triggers that refuse, roles that are not there", async () => {
    const program = await shop("guarded");
    await withSession(server.endpoint, "guarded", (client) =>
      client.query(
        `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no changes on Fridays'; END $$;
         CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION refuse()`,
      ),
    );
    const site = siteOf("guarded", { adopt: true });
    site.server!.admits = ["nobody_here", "shopapp"];
    const reasons = await postgres.foreign({ site, definition, state: null }, "shop", NONE, []);
    expect(reasons).toEqual([
      'backout:server.admits: there is no role "nobody_here" on the server',
      expect.stringContaining('event trigger "no_ddl" (refuse) of "guarded" refuses what the update does there: no changes on Fridays'),
    ]);
    await program.end();
  });

  it("publications that the snapshot lacks are told by name before the cut-over", async () => {
    const program = await shop("published");
    await withSession(server.endpoint, "published", (client) => client.query("CREATE PUBLICATION before FOR TABLE orders"));
    await program.end();
    await admin('CREATE DATABASE "published snapshot" TEMPLATE published');
    await withSession(server.endpoint, "published", (client) =>
      client.query("CREATE PUBLICATION since FOR TABLE orders; ALTER PUBLICATION before ADD TABLE _prisma_migrations"),
    );
    const snapshot = { driver: "template", location: "published snapshot" } as never;
    const action = { kind: "restore", snapshot: "before-v2", generation: 1, again: 0 } as const;
    const at = { site: siteOf("published"), definition, state: null };
    expect(await postgres.leftBehind(at, "shop", action, snapshot)).toEqual([
      'public._prisma_migrations in publication "before" is the old database\'s: the snapshot lacks it',
      'publication "since" is the old database\'s: the snapshot lacks it',
    ]);
    expect(await postgres.leftBehind(at, "shop", { kind: "none" }, null)).toEqual([]);
  });
});
