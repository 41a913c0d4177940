/** Who relies on a database that is renamed away, with a real logical slot: named before, named afterwards, and led back by the lines that are told. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { postgres } from "./whole.ts";
import { applyRetention } from "../../../rollout/retention.ts";
import type { Run } from "../../../config/run.ts";
import { passwordOf, withSession } from "../../../databases/postgres/connection.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { DATABASE, makeStand, RESTORE, type Stand } from "./postgres-stand.ts";

let server: OwnServer;
let stand: Stand;
beforeAll(async () => void (server = await ownServer({ wal_level: "logical" })), 60_000);
afterAll(async () => server.remove());
beforeEach(async () => {
  const { port, user } = server.endpoint;
  stand = await makeStand(
    {
      embedded: false,
      host: "127.0.0.1",
      port,
      user,
      password: passwordOf(server.endpoint)!,
      driver: "template",
      databases: { shop: DATABASE },
    },
    (run) => postgres.make(run, DATABASE),
  );
});
afterEach(async () => {
  await stand.end();
  await admin("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
  for (const { name } of await admin<{ name: string }>("SELECT quote_ident(datname) AS name FROM pg_database WHERE datname LIKE 'shop%'"))
    await admin(`DROP DATABASE ${name} WITH (FORCE)`);
});

const admin = async <Row extends object>(text: string): Promise<Row[]> =>
  withSession(server.endpoint, "postgres", async (client) => (await client.query<Row>(text)).rows);

test("an inactive slot and publications made since are told before, and by name afterwards, also where the cut-over was interrupted", async () => {
  const { run, snapshot } = await stand.snapshotted({ prepare: () => stand.sql("CREATE PUBLICATION orders FOR TABLE orders") });
  await postgres.admit(run, DATABASE, "everybody");
  await stand.sql("SELECT pg_create_logical_replication_slot('billing', 'pgoutput')");
  await stand.sql("CREATE PUBLICATION since FOR TABLE customers");
  await stand.sql("ALTER PUBLICATION orders ADD TABLE customers");

  expect(await postgres.leftBehind(run, DATABASE, RESTORE, snapshot)).toEqual([
    'replication slot "billing" follows the old database into quarantine and keeps its log there: its consumer misses what is written from now on',
    'public.customers in publication "orders" is the old database\'s: the snapshot lacks it',
    'publication "since" is the old database\'s: the snapshot lacks it',
  ]);

  const third = await closed(3);
  const cut = await postgres.cutOver(third, DATABASE, RESTORE, snapshot);
  const told = [
    expect.stringMatching(/replication slot "billing" went with the old database into quarantine "shop_quarantine_3"/) as string,
    expect.stringContaining(
      'public.customers in publication "orders" went with the old database into quarantine "shop_quarantine_3"',
    ) as string,
    expect.stringContaining('publication "since" went with the old database into quarantine "shop_quarantine_3"') as string,
  ];
  expect(cut?.wentAlong).toEqual(told);
  expect(stand.said).toEqual(told);
  expect(await admin("SELECT database::text FROM pg_replication_slots WHERE slot_name = 'billing'")).toEqual([
    { database: "shop_quarantine_3" },
  ]);
  // Killed after the cut-over, the next run finds it done.
  stand.said.length = 0;
  expect(await postgres.cutOver(third, DATABASE, RESTORE, snapshot)).toBeNull();
  expect(stand.said).toEqual(told);

  // The lines that are told lead back.
  const [, drop, make] = /: (SELECT .*\)), then in "shop" (SELECT .*\))$/.exec(cut!.wentAlong![0]!)!;
  await admin(drop!);
  await postgres.admit(third, DATABASE, "everybody");
  await stand.sql(make!);
  await stand.sql("INSERT INTO orders VALUES (9, 1, 'nine')");
  const { length } = await stand.sql(
    "SELECT FROM pg_logical_slot_peek_binary_changes('billing', NULL, NULL, 'proto_version', '1', 'publication_names', 'orders')",
  );
  expect(length).toBeGreaterThan(0);
  await stand.sql("SELECT pg_drop_replication_slot('billing')");
});

test("a quarantine that a subscription still holds stays, and retention says so; it ends all the same, and drops it once that is gone", async () => {
  const { run, snapshot } = await stand.snapshotted();
  await postgres.admit(run, DATABASE, "everybody");
  await stand.sql("CREATE SUBSCRIPTION prices CONNECTION 'dbname=elsewhere' PUBLICATION prices WITH (connect = false)");
  await postgres.cutOver(await closed(3), DATABASE, RESTORE, snapshot);
  await postgres.cutOver(await closed(4), DATABASE, { kind: "restore", snapshot: "before-v2", generation: 1, again: 1 }, snapshot);
  const keep = { keep: 1, quarantines: 1, snapshots: [], drop: ["shop_quarantine_3"] };
  stand.said.length = 0;
  expect(await applyRetention(await stand.run(5), keep, [], null)).toEqual([]);
  expect(stand.said).toEqual([expect.stringMatching(/^shop_quarantine_3 is beyond backups and could not be dropped: .*subscription/)]);
  await admin("ALTER DATABASE shop_quarantine_3 ALLOW_CONNECTIONS true");
  await withSession(server.endpoint, "shop_quarantine_3", (client) =>
    client.query("ALTER SUBSCRIPTION prices SET (slot_name = NONE); DROP SUBSCRIPTION prices"),
  );
  expect(await applyRetention(await stand.run(5), keep, [], null)).toEqual(["shop_quarantine_3"]);
});

async function closed(epoch: number): Promise<Run> {
  const run = await stand.run(epoch);
  await postgres.keepProperties(run, DATABASE, true);
  await postgres.close(run, DATABASE);
  return run;
}
