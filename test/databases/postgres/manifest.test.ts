import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "../../../databases/postgres/connection.ts";
import { captureManifest, compareManifests, TableMissingError } from "../../../databases/postgres/manifest.ts";
import type { Manifest } from "../../../databases/postgres/manifest-shape.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
let client: pg.Client;
let before: Manifest;

beforeAll(async () => {
  server = await startServer();
  await server.database("one");
  client = await connect(server.endpoint, "one");
  await client.query(`
    CREATE SCHEMA side; CREATE SCHEMA "Odd.Name";
    CREATE TABLE parent (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'x', doc json, at point, "backout" xml);
    CREATE TABLE side.child (id int PRIMARY KEY, parent int, t text);
    ALTER TABLE side.child ADD CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES parent NOT VALID;
    CREATE TABLE "Odd.Name"."a ""b" (v int);
    CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
    CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE INDEX child_parent_index ON side.child (parent);
    ALTER TABLE side.child ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON side.child USING (id > 0);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touched BEFORE UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION touch();
    INSERT INTO parent (name, doc, at) SELECT 'n' || g, '{"a":1}', point(g, g) FROM generate_series(1, 50) g;
    INSERT INTO side.child SELECT g, g, NULL FROM generate_series(1, 10) g;
    INSERT INTO parts VALUES (1, '2025-05-05'), (2, '2025-06-06');
    CREATE MATERIALIZED VIEW filled AS SELECT id FROM parent; CREATE MATERIALIZED VIEW empty AS SELECT id FROM parent WITH NO DATA`);
  before = await captureManifest(client);
}, 60_000);
afterAll(async () => {
  await client.end();
  await server.remove();
});

async function changed(statement: string): Promise<string[]> {
  await client.query("BEGIN");
  try {
    await client.query(statement);
    return compareManifests(before, await captureManifest(client));
  } finally {
    await client.query("ROLLBACK");
    // A sequence takes no part in transactions.
    await client.query("SELECT setval('parent_id_seq', 50)");
  }
}

it("holds every kind of object", () => {
  expect(before.tables["parent"]?.rows).toBe(50);
  expect(Object.keys(before.tables)).toEqual(['"Odd.Name"."a ""b"', "parent", "parts_2025", "side.child"].sort());
  expect(before.sequences).toEqual({ parent_id_seq: "50" });
  expect(before.constraints["side.child.child_parent"]).toMatch(/NOT VALID$/);
  expect(before.rowSecurity).toEqual({ "side.child": { enabled: true, forced: false } });
  expect(before.materializedViews).toEqual({ filled: { rows: 50, populated: true }, empty: { rows: null, populated: false } });
  expect(before.columns["parent.name"]).toBe("text NOT NULL DEFAULT 'x'::text");
  expect(before.extensions["plpgsql"]).toBeDefined();
});

it.each([
  ["SELECT 1", []],
  ["UPDATE parent SET name = name", []],
  ["UPDATE parent SET name = 'other' WHERE id = 7", ["table parent has the expected 50 rows, but other content"]],
  ["UPDATE side.child SET t = '' WHERE id = 1", ["table side.child has the expected 10 rows, but other content"]],
  ["DELETE FROM parent WHERE id = 50", ["table parent has rows 49, expected 50"]],
  ["SELECT nextval('parent_id_seq')", ["sequence parent_id_seq is 51, expected 50"]],
  [
    "ALTER TABLE side.child VALIDATE CONSTRAINT child_parent",
    [
      "constraint side.child.child_parent is FOREIGN KEY (parent) REFERENCES parent(id), expected FOREIGN KEY (parent) REFERENCES parent(id) NOT VALID",
    ],
  ],
  ["DROP INDEX side.child_parent_index", ["index side.child_parent_index is missing"]],
  ["ALTER TABLE parent DISABLE TRIGGER touched", [expect.stringContaining("trigger parent.touched is")]],
  ["ALTER POLICY mine ON side.child USING (id > 1)", [expect.stringContaining("policy side.child.mine is")]],
  ["ALTER TABLE side.child FORCE ROW LEVEL SECURITY", ["row security of side.child has forced true, expected false"]],
  [
    "REFRESH MATERIALIZED VIEW empty",
    ["materialized view empty has rows 50, expected none", "materialized view empty has populated true, expected false"],
  ],
  ["ALTER TABLE side.child ALTER COLUMN parent SET DEFAULT 3", ["column side.child.parent is integer DEFAULT 3, expected integer"]],
  [
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    [expect.stringContaining("function touch() is")],
  ],
  ["CREATE TABLE added ()", ["table added was not expected"]],
])("sees %s", async (statement, differences) => {
  expect(await changed(statement)).toEqual(differences);
});

it("counts the tables asked for, partitioned ones whole, and refuses those that are not there", async () => {
  const some = await captureManifest(client, ["parts", "public.parent", "side.child"]);
  expect(Object.entries(some.tables).map(([name, { rows }]) => [name, rows])).toEqual([
    ["parts", 2],
    ["parent", 50],
    ["side.child", 10],
  ]);
  await expect(captureManifest(client, ["absent"])).rejects.toThrow(TableMissingError);
  expect((await client.query("SELECT 1 AS usable")).rows).toEqual([{ usable: 1 }]);
  expect(Object.keys((await captureManifest(client, undefined, { excludeSchemas: ["side"] })).tables)).not.toContain("side.child");
});

it("has the same checksum in whatever order rows were written", async () => {
  const rows = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 99 }),
      fc.string({ maxLength: 5 }).filter((text) => !text.includes("\0")),
    ),
    { minLength: 1, maxLength: 12 },
  );
  await client.query("CREATE TABLE ordered (a int, b text)");
  const checksum = async (values: [number, string][]): Promise<unknown> => {
    await client.query("TRUNCATE ordered");
    await client.query("INSERT INTO ordered SELECT * FROM unnest($1::int[], $2::text[])", [
      values.map(([a]) => a),
      values.map(([, b]) => b),
    ]);
    return (await captureManifest(client, ["ordered"])).tables["ordered"];
  };
  await fc.assert(
    fc.asyncProperty(rows, async (values) => {
      expect(await checksum([...values].reverse())).toEqual(await checksum(values));
    }),
    { numRuns: 8 },
  );
  await client.query("DROP TABLE ordered");
});

it("a row that is longer than a string of the server's is counted and hashed all the same", { timeout: 60_000 }, async () => {
  // Half a gigabyte of bytes is more than one of text.
  const long = "convert_to(repeat('x', 536870912), 'UTF8')";
  await client.query('CREATE TABLE long_values (id int, data bytea, "odd ""name" text)');
  try {
    await client.query(`INSERT INTO long_values SELECT 1, ${long}, 'x'`);
    const one = (await captureManifest(client, ["long_values"])).tables["long_values"];
    expect(one).toEqual({ rows: 1, checksum: expect.stringMatching(/^-?\d+$/) as string });
    await client.query("UPDATE long_values SET data = set_byte(data, 7, 1)");
    expect((await captureManifest(client, ["long_values"])).tables["long_values"]).not.toEqual(one);
  } finally {
    await client.query("DROP TABLE long_values");
  }
});
