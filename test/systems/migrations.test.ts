import { afterAll, beforeAll, expect, test } from "vitest";
import { accessTo } from "../support/access.ts";
import { applyMigration, markRolledBack, rollBackMigration } from "../../databases/postgres/migrations.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { countOf, makeStand, MIGRATIONS, type Stand, type TestDatabase } from "./stand.ts";

let stand: Stand;
let database: TestDatabase;
const SYNC = MIGRATIONS[2]!;
const owner = { owner: "owner" };

beforeAll(async () => {
  stand = await makeStand();
  database = await stand.makeDatabase("migrations", "v4.0.0");
});
afterAll(() => stand.remove());

async function shape(): Promise<string[]> {
  const { rows } = await database.admin.query<{ line: string }>(
    `SELECT table_name || '.' || column_name || ' ' || data_type AS line FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'
     UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> '_prisma_migrations'
     UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'
     UNION ALL SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`,
  );
  return rows.map((row) => row.line);
}

test("all of them down and up again give the same schema", async () => {
  const before = await shape();
  for (const migration of [...MIGRATIONS].reverse()) await rollBackMigration(database.admin, migration, owner);
  expect(await shape()).toEqual([]);
  for (const migration of MIGRATIONS) await applyMigration(database.admin, migration, owner);
  expect(await shape()).toEqual(before);
  expect(before.length).toBeGreaterThan(40);
});

test("down takes the two tables and four columns of synchronisation, and leaves the modifications", async () => {
  await database.admin.query("INSERT INTO pfa_modification (pfa_id, operation, sync_status) VALUES ('A', 'create', 'pending')");
  await database.admin.query(
    "INSERT INTO pfa_write_queue (modification_id, pfa_id, organization_id, operation, payload) SELECT id, 'A', 'org-rio', 'create', '{}' FROM pfa_modification",
  );
  const before = await shape();
  await rollBackMigration(database.admin, SYNC, owner);
  const gone = before.filter((line) => !line.includes("pfa_write_queue") && !line.includes("pfa_sync_conflict"));
  const kept = await shape();
  expect(gone.filter((line) => !kept.includes(line))).toEqual([
    "pfa_modification.pems_version integer",
    "pfa_modification.sync_error text",
    "pfa_modification.sync_status text",
    "pfa_modification.synced_at timestamp with time zone",
  ]);
  expect(kept.filter((line) => !gone.includes(line))).toEqual([]);
  expect(await countOf(database, "pfa_modification")).toBe(1);
  await applyMigration(database.admin, SYNC, owner);
});

test("after a rollback of the ledger alone it can be applied again, and its rows are still there", async () => {
  await database.admin.query(
    "INSERT INTO pfa_write_queue (pfa_id, organization_id, operation, payload) VALUES ('B', 'org-rio', 'update', '{}')",
  );
  await markRolledBack(database.admin, SYNC.name);
  const before = await shape();
  await applyMigration(database.admin, SYNC, owner);
  expect(await shape()).toEqual(before);
  expect(await countOf(database, "pfa_write_queue", "pfa_id = 'B'")).toBe(1);
});

test("the schema refuses what must not be, and keeps the time of a change", async () => {
  const insert = (columns: string, values: string) =>
    database.admin.query(
      `INSERT INTO pfa_records (pfa_id, organization_id, category, ${columns}) VALUES ('X', 'org-rio', 'Labour', ${values})`,
    );
  await expect(insert("monthly_rate", "-1")).rejects.toMatchObject({ constraint: "pfa_records_monthly_rate" });
  await expect(insert("forecast_start, forecast_end", "'2025-02-01', '2025-01-01'")).rejects.toMatchObject({
    constraint: "pfa_records_forecast_window",
  });
  await expect(insert("created_by", "'nobody'")).rejects.toMatchObject({ code: "23503" });
  await insert("updated_at", "'2020-01-01'");
  await database.admin.query("UPDATE pfa_records SET description = 'changed' WHERE pfa_id = 'X'");
  expect(await countOf(database, "pfa_records", "pfa_id = 'X' AND updated_at > '2020-01-02'")).toBe(1);
});

test("seeding twice adds up, with the same content for the same numbers", async () => {
  const other = await stand.makeDatabase("seeded", "v3.0.0");
  await pfaVanguard.drill.seed(accessTo(other.admin), 500);
  await pfaVanguard.drill.seed(accessTo(other.admin), 500);
  const once = await stand.makeDatabase("seeded_once", "v3.0.0");
  await pfaVanguard.drill.seed(accessTo(once.admin), 1000);
  const content = async (which: TestDatabase) =>
    (await which.admin.query<{ sum: string }>("SELECT md5(string_agg(r::text, ',' ORDER BY pfa_id)) AS sum FROM pfa_records r")).rows[0]
      ?.sum;
  expect(await countOf(other, "pfa_records")).toBe(1000);
  expect(await countOf(other, "pfa_modification")).toBe(50);
  expect(await content(other)).toBe(await content(once));
  expect(await countOf(other, "pfa_records", "total_cost <> monthly_rate * duration_months")).toBe(0);
});

test("seeding many rows leaves every index in place, owned as before", async () => {
  const many = await stand.makeDatabase("seeded_many", "v3.0.0");
  const indexes = async () =>
    (
      await many.admin.query<{ line: string }>(
        "SELECT pg_get_indexdef(oid) || ' ' || pg_get_userbyid(relowner) AS line FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace ORDER BY 1",
      )
    ).rows;
  const before = await indexes();
  await pfaVanguard.drill.seed(accessTo(many.admin), 60_000);
  expect(await indexes()).toEqual(before);
  expect(await countOf(many, "pfa_records")).toBe(60_000);
});
