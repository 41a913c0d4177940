/** Tables kept as files before they go: lossless, and proved by putting them back. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "../../../databases/postgres/connection.ts";
import { dropKept, GoesAlongError, keepTables, KeptCopyDiffersError, presentTables } from "../../../databases/postgres/kept-tables.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
let client: pg.Client;
let folder: string;
beforeAll(async () => {
  server = await startServer();
  client = await connect(server.endpoint, await server.database("kept"));
  folder = mkdtempSync(join(tmpdir(), "backout-kept-"));
  await client.query(`
    CREATE TABLE "odd ""name" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric(12, 4), note text, extra jsonb, raw bytea,
      at timestamptz, twice bigint GENERATED ALWAYS AS (id * 2) STORED, CONSTRAINT positive CHECK (amount >= 0));
    CREATE INDEX by_note ON "odd ""name" (note);
    INSERT INTO "odd ""name" (amount, note, extra, raw, at) VALUES
      (1.1000, E'line\\nbreak, "quotes" and \\u2028', 'null', '\\x00ff', '2026-01-01 00:00:00.123456+00'), (NULL, '', NULL, NULL, NULL),
      (NULL, '', NULL, NULL, NULL);
    INSERT INTO "odd ""name" (note) SELECT 'row ' || i FROM generate_series(1, 5000) i;
    CREATE TABLE empty (id int)`);
}, 60_000);
afterAll(async () => {
  await client?.end();
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

it("finds what is there", async () => {
  expect(await presentTables(client, ["empty", '"odd ""name"', "nowhere"])).toEqual(["empty", '"odd ""name"']);
});

it("keeps every row in the server's own text, with what it needs to live in again", async () => {
  await client.query("BEGIN");
  const kept = await keepTables(client, ['"odd ""name"', "empty"], folder, "run-1");
  await client.query("COMMIT");
  expect(kept.map(({ table, rows }) => [table, rows])).toEqual([
    ['"odd ""name"', 5003],
    ["empty", 0],
  ]);
  const text = readFileSync(kept[0]!.path);
  expect(createHash("sha256").update(text).digest("hex")).toBe(kept[0]!.sha256);
  const first = JSON.parse(text.toString("utf8").split("\n")[0]!) as Record<string, string | null>;
  expect(first).toMatchObject({ id: "1", amount: "1.1000", extra: "null", raw: "\\x00ff", twice: "2" });
  expect(first["note"]).toBe('line\nbreak, "quotes" and \u2028');
  const definitions = kept[0]!.definitions.join("\n");
  for (const part of ["PRIMARY KEY", "positive CHECK", "CREATE INDEX by_note"]) expect(definitions).toContain(part);
  expect(readdirSync(folder)).toContain("run-1.tables.json");
  // The copy it was proved with is gone again.
  expect(await presentTables(client, ["kept_copy"])).toEqual([]);
});

it("a copy that is not what it was taken from is refused", async () => {
  await client.query("CREATE VIEW restless AS SELECT random() AS value");
  await client.query("BEGIN");
  const refused = keepTables(client, ["restless"], folder, "run-2");
  await expect(refused).rejects.toThrow(KeptCopyDiffersError);
  await expect(refused).rejects.toThrow(/restless could not be kept: 2 rows put back from the file differ .*Nothing was dropped/);
  await client.query("ROLLBACK");
});

it.each([
  ["a table that inherits", "CREATE TABLE child (more int) INHERITS (base)", "public.child.id, public.child.more"],
  ["a column whose type it is", "CREATE TABLE holder (id int, held base)", "public.holder.held"],
])("%s does not go with what is dropped", async (_what, beside, lost) => {
  await client.query("BEGIN");
  await client.query(`CREATE TABLE base (id int); ${beside}`);
  const dropped = dropKept(client, ["base"]);
  await expect(dropped).rejects.toThrow(GoesAlongError);
  await expect(dropped).rejects.toThrow(`with base would go what is not kept: ${lost}. Nothing was dropped`);
  await client.query("ROLLBACK");
});

it("what has no rows of its own goes along and is told: views, foreign keys, partitions", async () => {
  await client.query("BEGIN");
  await client.query(`CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9);
    CREATE TABLE pointing (id int REFERENCES parts); CREATE VIEW seen AS SELECT * FROM parts`);
  expect(await dropKept(client, ["parts"])).toMatch(/^dropped parts \(drop cascades to 2 other objects\)$/);
  expect(await presentTables(client, ["parts", "part", "pointing", "seen"])).toEqual(["pointing"]);
  await client.query("ROLLBACK");
});
