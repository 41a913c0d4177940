import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type pg from "pg";
import { findOrphans, refreshViews, sequencesBehind, staleViews } from "../../../databases/postgres/integrity.ts";
import { objectDifferences, readObjects } from "../../../databases/postgres/schema-objects.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;
let client: pg.Client;
let turn = 0;

beforeAll(async () => {
  server = await ownServer();
}, 120_000);
beforeEach(async () => {
  client = await server.create(`integrity_${++turn}`);
  await client.query(`
    CREATE TABLE parents (a int, b text, PRIMARY KEY (a, b));
    CREATE TABLE "Children" (id serial PRIMARY KEY, a int, b text, CONSTRAINT child_of FOREIGN KEY (a, b) REFERENCES parents);
    INSERT INTO parents VALUES (1, 'x');
    INSERT INTO "Children" (a, b) VALUES (1, 'x'), (NULL, NULL);
    CREATE MATERIALIZED VIEW totals AS SELECT a, count(*) AS n FROM "Children" GROUP BY a;
    ALTER TABLE parents ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON parents USING (b = current_user);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touched BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION touch();`);
});
afterAll(() => server.remove());

test("orphans are found row by row, also under a constraint that says it is valid", async () => {
  expect(await findOrphans(client)).toEqual([]);
  await client.query(
    `SET session_replication_role = replica; INSERT INTO "Children" (a, b) VALUES (7, 'gone'), (8, 'gone'); RESET session_replication_role`,
  );
  expect((await client.query(`SELECT convalidated FROM pg_constraint WHERE conname = 'child_of'`)).rows).toEqual([{ convalidated: true }]);
  expect(await findOrphans(client)).toEqual([{ constraint: "child_of", table: '"Children"', rows: 2 }]);
});

test("a sequence behind its column is told", async () => {
  expect(await sequencesBehind(client)).toEqual([]);
  await client.query(`INSERT INTO "Children" (id) VALUES (40)`);
  expect(await sequencesBehind(client)).toEqual(['"Children_id_seq" stands at 2, "Children".id has 40']);
});

test("a stale materialised view and an empty one are told, and refreshing mends both", async () => {
  expect(await staleViews(client)).toEqual([]);
  await client.query(`INSERT INTO "Children" (a, b) VALUES (1, 'x')`);
  expect(await staleViews(client)).toEqual(["totals differs from its query in 2 rows"]);
  await client.query("REFRESH MATERIALIZED VIEW totals WITH NO DATA");
  expect(await staleViews(client)).toEqual(["totals is not filled"]);
  expect(await refreshViews(client)).toEqual(["totals"]);
  expect(await staleViews(client)).toEqual([]);
});

test("recorded policies, triggers and views are compared by name and definition; values of sequences do not count", async () => {
  const recorded = await readObjects(client);
  const kinds = ["policies", "rowSecurity", "triggers", "materializedViews", "sequences"] as const;
  const differences = async (exact: boolean) => objectDifferences(recorded, await readObjects(client), kinds, { exact });
  await client.query(`INSERT INTO "Children" (a, b) VALUES (1, 'x'); REFRESH MATERIALIZED VIEW totals`);
  expect(await differences(true)).toEqual([]);
  await client.query("CREATE POLICY more ON parents USING (true)");
  expect(await differences(true)).toEqual(["policy parents.more was not expected"]);
  expect(await differences(false)).toEqual([]);
  await client.query(
    "ALTER POLICY own ON parents USING (true); ALTER TABLE parents DISABLE TRIGGER touched; ALTER TABLE parents DISABLE ROW LEVEL SECURITY",
  );
  expect(await differences(false)).toEqual(["row security of parents is missing"]);
  const told = (await differences(true)).join("\n");
  expect(told).toMatch(/policy parents.own is .*USING true/);
  expect(told).toMatch(/trigger parents.touched is .* ENABLED D/);
});
