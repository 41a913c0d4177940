/** A hosted database is taken over by its owner, who is no superuser and may make neither roles' owners nor databases: while a client writes. */
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withSession } from "../../databases/postgres/connection.ts";
import type { AdoptOutcome } from "../../scripts/verbs/adopt.ts";
import { startHosted, type Hosted } from "../databases/in-place/hosted.ts";
import { missingDebianServer } from "../databases/postgres/drivers/debian-server.ts";
import { adoptStand, exportedIds, startWriter, type AdoptStand, type Session, type Writer } from "./adopt-stand.ts";

const missing = missingDebianServer();
let hosted: Hosted;
let stand: AdoptStand;
let writer: Writer;

async function web(): Promise<Session> {
  const { host, port } = hosted.endpoint;
  const client = new pg.Client({ host, port, user: "app_services", password: "services", database: "shop", application_name: "web" });
  client.on("error", () => undefined);
  await client.connect();
  return {
    write: async (id) => void (await client.query("INSERT INTO orders (id, what) VALUES ($1, 'from the web')", [id])),
    end: () => client.end(),
  };
}

const inShop = <Row extends pg.QueryResultRow>(text: string): Promise<Row[]> =>
  withSession(hosted.server.endpoint, "shop", async (client) => (await client.query<Row>(text)).rows);

async function theirs() {
  return {
    database: await inShop(
      `SELECT d.datdba::regrole::text AS owner, d.datallowconn, d.datconnlimit, ARRAY(SELECT a::text FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a ORDER BY 1) AS acl
       FROM pg_database d WHERE d.datname = 'shop'`,
    ),
    objects: await inShop(
      `SELECT c.relname, c.relowner::regrole::text AS owner, ARRAY(SELECT a::text FROM aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a ORDER BY 1) AS acl
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') AND c.relname !~ '^_prisma' ORDER BY 1`,
    ),
    schemas: await inShop("SELECT nspname, nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"),
    defaults: await inShop("SELECT defaclrole::regrole::text AS role, defaclacl::text AS acl FROM pg_default_acl ORDER BY 1, 2"),
    roles: await inShop("SELECT rolname FROM pg_roles ORDER BY 1"),
  };
}

describe.skipIf(missing !== null)("a hosted database in use", () => {
  beforeAll(async () => {
    hosted = await startHosted();
    const owner = await hosted.database("shop");
    await owner.query(
      `CREATE TABLE orders (id bigserial PRIMARY KEY, what text NOT NULL); INSERT INTO orders (what) SELECT 'order ' || i FROM generate_series(1, 500) i;
       GRANT SELECT, INSERT ON orders TO app_services; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app_services`,
    );
    await owner.end();
    process.env["BACKOUT_SERVER_PASSWORD"] = hosted.endpoint.password;
    const { host, port, user } = hosted.endpoint;
    stand = await adoptStand(join(import.meta.dirname, "adopt-shop", "definition.ts"), "shop", { v1: "1_orders", v2: "2_notes" }, [
      { path: ["server"], value: { host, port, user, driver: "in-place" } },
    ]);
    writer = startWriter(web);
    await writer.writesOn();
  });
  afterAll(async () => {
    await writer?.stop();
    await stand?.destroy();
    await hosted?.stop();
    delete process.env["BACKOUT_SERVER_PASSWORD"];
  });

  test("is adopted as its owner, deployed, rolled back in place and given back", async () => {
    const before = await theirs();
    const looked = await stand.verb<AdoptOutcome>("adopt", "--dry-run", "--baseline", "1_orders");
    expect(looked.code, looked.failure ?? "").toBe(0);
    expect(looked.json!.report!.databases["shop"]!.limits.join()).toMatch(/the driver in-place replaces data where it stands/);
    expect(await theirs()).toEqual(before);

    const adopted = await stand.verb<AdoptOutcome>("adopt", "--yes", "--baseline", "1_orders");
    expect(adopted.code, adopted.failure ?? "").toBe(0);
    expect(adopted.json).toMatchObject({ did: "adopted", snapshots: ["adopted@1 of shop"] });
    const undone = await stand.verb<AdoptOutcome>("adopt", "--undo", "--yes");
    expect(undone.code, undone.failure ?? "").toBe(0);
    expect(await theirs()).toEqual(before);
    expect((await stand.verb("adopt", "--yes", "--baseline", "1_orders")).code).toBe(0);
    await writer.writesOn();
    expect(writer.refused).toEqual([]);

    const deployed = await writer.during(() => stand.verb("deploy", "v2", "--yes", "--no-wait"));
    expect(deployed.code, deployed.failure ?? "").toBe(0);
    const back = await writer.during(() => stand.verb("rollback", "--scope", "full", "--yes"));
    expect(back.code, back.failure ?? "").toBe(0);
    expect(back.json).toMatchObject({ from: "v2", to: "v1", state: "open" });
    await writer.writesOn();
    const destroyed = await stand.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    await writer.writesOn();
    await writer.stop();
    expect(writer.refused).toEqual([]);
    const rows = new Set((await inShop<{ id: string }>("SELECT id FROM orders")).map(({ id }) => Number(id)));
    const exported = exportedIds(stand.stack.home);
    expect(writer.ids.filter((id) => !rows.has(id) && !exported.has(id))).toEqual([]);
    expect(await theirs()).toEqual(before);
  });
});
