/** Databases that others made and use are taken over, deployed, rolled back and given back while a client writes all the time. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DESTROY_DATA } from "../../rollout/destroy.ts";
import type { AdoptOutcome } from "../../scripts/verbs/adopt.ts";
import { at, DEFINITION, makeShop, missing, RELEASES, startShops, stopShops, theirs, web, wherever } from "./adopt-postgres.ts";
import { adoptStand, exportedIds, startWriter, type AdoptStand, type Writer } from "./adopt-stand.ts";
import { filesBelow } from "./stand.ts";

beforeAll(startShops);
afterAll(stopShops);

/** What a server holds besides rows: databases, roles, sessions of others, replication slots. */
async function catalogueOf(name: string) {
  return {
    databases: await at("postgres", "SELECT oid, datname, datacl::text AS acl, datallowconn, datconnlimit FROM pg_database ORDER BY 1"),
    roles: await at("postgres", "SELECT oid, rolname, rolconfig, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles ORDER BY 1"),
    members: await at("postgres", "SELECT roleid, member FROM pg_auth_members ORDER BY 1, 2"),
    slots: await at("postgres", "SELECT slot_name FROM pg_replication_slots ORDER BY 1"),
    objects: await at(
      name,
      "SELECT oid, relname, relacl::text AS acl, relfilenode FROM pg_class WHERE relkind IN ('r', 'S', 'i') ORDER BY 1",
    ),
    schemas: await at(name, "SELECT oid, nspname, nspacl::text AS acl FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' ORDER BY 1"),
    writes: await at(name, "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname <> 'orders' ORDER BY 1"),
    sessions: await at(
      "postgres",
      "SELECT pid, usename, application_name, backend_start FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'backout' ORDER BY 1",
    ),
  };
}

describe.skipIf(missing !== null).each(["dump", "template"] as const)("a PostgreSQL database in use, by the driver %s", (driver) => {
  const name = `shop_${driver}`;
  let stand: AdoptStand;
  let writer: Writer;
  beforeAll(async () => {
    await makeShop(name);
    stand = await adoptStand(DEFINITION, "shop", RELEASES, wherever(name, driver));
    writer = startWriter(() => web(name));
    await writer.writesOn();
  });
  afterAll(async () => {
    await writer?.stop();
    await stand?.destroy();
  });

  test("a first deployment is refused before anything is touched, with the command that takes it over", async () => {
    const before = await theirs(name);
    const { code, failure } = await stand.verb("deploy", "v1", "--yes");
    expect(code).toBe(3);
    expect(failure).toMatch(
      /database "shop_\w+" was not made by this stack: it belongs to shopapp; has 2 table\(s\): orders with about \d+ rows/,
    );
    expect(failure).toMatch(/run `.*backout.* adopt --stack adopted`, which sets/);
    expect(await theirs(name)).toEqual(before);
    await writer.writesOn();
    expect(writer.refused).toEqual([]);
  });

  test("looking touches nothing, and tells what is there", async () => {
    const text = stand.text();
    const files = filesBelow(stand.folder).sort();
    const before = await catalogueOf(name);
    const { code, json } = await stand.verb<AdoptOutcome>("adopt", "--dry-run", "--baseline", "1_orders");
    expect(code).toBe(0);
    const { databases, services, refused } = json!.report!;
    expect(refused).toEqual([]);
    expect(databases["shop"]).toMatchObject({ live: name, owner: "shopapp", sessions: [{ application: "web", role: "web", count: 1 }] });
    expect(databases["shop"]!.tables.map((table) => table.name)).toEqual(["orders", "entries"]);
    expect(databases["shop"]!.tables[0]!.rows).toBeGreaterThanOrEqual(5000);
    expect(databases["shop"]!.grants).toContainEqual({ grantee: "web", privileges: ["CONNECT"] });
    expect(databases["shop"]!.ledgers[0]).toEqual({ name: "prisma", declared: true, head: null, applied: 0 });
    expect(databases["shop"]!.notes.join()).toMatch(/row level security: no policy of entries is for everybody/);
    expect(databases["shop"]!.limits.join()).toMatch(driver === "template" ? /copies a database only while nobody is in it/ : /^$/);
    expect(services.map((service) => [service.name, service.ports.map(({ heldBy }) => heldBy)])).toEqual([["app", [null, null]]]);
    expect(await catalogueOf(name)).toEqual(before);
    expect(filesBelow(stand.folder).sort()).toEqual(files);
    expect(stand.text()).toBe(text);
    expect(writer.refused).toEqual([]);
  });

  test("without a record of its migrations it is refused until somebody says which are there", async () => {
    const { code, failure } = await stand.verb("adopt", "--yes");
    expect(code).toBe(3);
    expect(failure).toMatch(/1_orders would run on database .* --baseline/);
    expect(stand.text()).not.toContain("backout:adopt");
  });

  test("adopted, deployed, rolled back, undone and destroyed: nobody is refused outside a rollout, and no acknowledged row is lost", async () => {
    const before = await theirs(name);
    const roles = await at("postgres", "SELECT rolname FROM pg_roles ORDER BY 1");
    const databases = await at("postgres", "SELECT datname FROM pg_database ORDER BY 1");
    const sessions = await at("postgres", "SELECT pid FROM pg_stat_activity WHERE usename = 'web'");

    const adopted = await stand.verb<AdoptOutcome>("adopt", "--yes", "--baseline", "1_orders");
    expect(adopted.code, adopted.failure ?? "").toBe(0);
    expect(adopted.json).toMatchObject({ did: "adopted", snapshots: ["adopted@1 of shop"], entered: { shop: ["1_orders"] } });
    expect(stand.text()).toContain("backout:adopt: true");
    await writer.writesOn();
    expect(writer.refused).toEqual([]);
    expect(await at("postgres", "SELECT pid FROM pg_stat_activity WHERE usename = 'web'")).toEqual(sessions);
    // Its users' part is as it was: what was granted was granted to a new role.
    const { acl: _granted, ...others } = (await theirs(name)).database!;
    expect(before.database).toMatchObject(others);
    expect((await stand.verb<AdoptOutcome>("adopt", "--yes")).json).toMatchObject({ did: "unchanged" });
    expect((await stand.verb("history", "--verify")).json).toMatchObject({ ok: true, checked: { lines: 1, snapshots: 1 } });
    expect((await stand.verb("status")).json).toMatchObject({ rollout: { epoch: 1, adopted: true, to: "v1", unfinished: false } });

    const deployed = await writer.during(() => stand.verb("deploy", "v2", "--yes", "--no-wait"));
    expect(deployed.code, deployed.failure ?? "").toBe(0);
    expect(deployed.json).toMatchObject({ from: "v1", to: "v2", state: "open" });
    await writer.writesOn();
    const back = await writer.during(() => stand.verb("rollback", "--scope", "full", "--yes"));
    expect(back.code, back.failure ?? "").toBe(0);
    expect(back.json).toMatchObject({ from: "v2", to: "v1", state: "open" });
    await writer.writesOn();
    const undone = await writer.during(() => stand.verb("undo", "--yes"));
    expect(undone.code, undone.failure ?? "").toBe(0);
    await writer.writesOn();
    expect(writer.refused).toEqual([]);

    const refused = await stand.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: "" });
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/snapshots adopted@1, before-v2@1; quarantines .*shop was adopted and stays in either case/);
    const destroyed = await stand.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    await writer.writesOn();
    await writer.stop();
    expect(writer.refused).toEqual([]);

    const rows = new Set((await at<{ id: string }>(name, "SELECT id FROM orders")).map(({ id }) => Number(id)));
    const exported = exportedIds(stand.stack.home);
    expect(writer.ids.length).toBeGreaterThan(20);
    expect(writer.ids.filter((id) => !rows.has(id) && !exported.has(id))).toEqual([]);
    expect([...rows].filter((id) => id <= 5000)).toHaveLength(5000);
    expect(await theirs(name)).toEqual(before);
    expect(await at("postgres", "SELECT rolname FROM pg_roles ORDER BY 1")).toEqual(roles);
    expect(await at("postgres", "SELECT datname FROM pg_database ORDER BY 1")).toEqual(databases);
    await (await web(name)).end();
  });
});

describe.skipIf(missing !== null)("an adopted stack that is destroyed with `keep`", () => {
  const name = "shop_kept";
  let stand: AdoptStand;
  beforeAll(async () => {
    await makeShop(name);
    stand = await adoptStand(DEFINITION, "shop", RELEASES, wherever(name, "dump"));
  });
  afterAll(() => stand?.destroy());

  test("gives back, keeps its copies, and lets its services in again when it is deployed anew", async () => {
    const before = await theirs(name);
    expect((await stand.verb("adopt", "--yes", "--baseline", "1_orders")).code).toBe(0);
    // The same pins: services are started beside what runs, and nothing is closed.
    const beside = await stand.pulumi(["up", "--yes", "--skip-preview"]);
    expect(beside.code, beside.output).toBe(0);
    expect(beside.output).not.toMatch(/close the data/);
    const role = "backout_shop_adopted_services";
    const may = () => at(name, `SELECT has_table_privilege('${role}', 'orders', 'INSERT') AS may`);
    expect(await may()).toEqual([{ may: true }]);
    const kept = await stand.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: "keep" });
    expect(kept.code, kept.output).toBe(0);
    expect(await theirs(name)).toEqual(before);
    expect(await at("postgres", "SELECT datname FROM pg_database WHERE datname = 'shop_kept_backout'")).toHaveLength(1);
    // The baseline went with it: what is there has to be said again, and what is kept is found again.
    const again = await stand.verb<AdoptOutcome>("adopt", "--yes", "--baseline", "1_orders");
    expect(again.json, again.failure ?? "").toMatchObject({ did: "adopted", snapshots: ["adopted@2 of shop"] });
    const deployed = await stand.verb("deploy", "v2", "--yes", "--no-wait");
    expect(deployed.code, deployed.failure ?? "").toBe(0);
    expect((await stand.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: "keep" })).code).toBe(0);
    expect(await theirs(name)).toEqual(before);
    // After a deployment the ledger says it all.
    const anew = await stand.pulumi(["up", "--yes", "--skip-preview"]);
    expect(anew.code, anew.output).toBe(0);
    expect(await may()).toEqual([{ may: true }]);
    const { json } = await stand.verb<{ snapshots: { name: string }[] }>("status");
    expect(json!.snapshots.map((one) => one.name)).toEqual(expect.arrayContaining(["adopted@1", "adopted@2", "before-v2@1"]));
    const gone = await stand.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(gone.code, gone.output).toBe(0);
    expect(await theirs(name)).toEqual(before);
    expect(await at("postgres", `SELECT FROM pg_roles WHERE rolname = '${role}'`)).toEqual([]);
  });
});
