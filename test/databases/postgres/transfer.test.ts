import { afterAll, beforeAll, expect, test } from "vitest";
import type pg from "pg";
import { captureManifest, compareManifests } from "../../../databases/postgres/manifest.ts";
import { TransferDiffersError, transferRows } from "../../../databases/postgres/transfer.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;
let source: pg.Client;
let target: pg.Client;

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('calm', 'angry');
  CREATE TABLE parents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, twice text GENERATED ALWAYS AS (name || name) STORED);
  CREATE TABLE children (id serial PRIMARY KEY, parent bigint REFERENCES parents (id), m mood, raw bytea, doc jsonb, at timestamptz, share float8, exact numeric(30, 12), list text[]);
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not in a transfer''; END';
  CREATE TRIGGER refused BEFORE INSERT ON children FOR EACH ROW EXECUTE FUNCTION refuse();
  ALTER TABLE parents ENABLE ROW LEVEL SECURITY;
  CREATE POLICY nobody ON parents USING (false);`;

beforeAll(async () => {
  server = await ownServer();
  source = await server.create("transfer_from");
  target = await server.create("transfer_to");
  for (const client of [source, target]) await client.query(SCHEMA);
  await source.query(`
    INSERT INTO parents (name) SELECT 'parent ' || i FROM generate_series(1, 2500) i;
    ALTER TABLE children DISABLE TRIGGER refused;
    INSERT INTO children (parent, m, raw, doc, at, share, exact, list) VALUES
      (1, 'angry', '\\x00ff', '{"a": [1, "\\u0041"]}', '2025-06-01 12:34:56.789012Z', 'NaN', 123456789012345678.000000000001, ARRAY['a,b', '"', NULL]),
      (NULL, NULL, NULL, NULL, 'infinity', 0.1, NULL, '{}');
    ALTER TABLE children ENABLE TRIGGER refused`);
  // What the target was made with gives way.
  await target.query("INSERT INTO parents (name) VALUES ('from a migration')");
}, 120_000);
afterAll(() => server.remove());

test("every value of every type arrives, triggers and keys rest meanwhile, sequences go on where they stood", async () => {
  expect(await transferRows(source, target)).toBe(2502);
  expect(compareManifests(await captureManifest(source), await captureManifest(target))).toEqual([]);
  expect((await target.query<{ id: string }>("INSERT INTO parents (name) VALUES ('next') RETURNING id")).rows).toEqual([{ id: "2501" }]);
  await expect(target.query("INSERT INTO children DEFAULT VALUES")).rejects.toThrow(/not in a transfer/);
  expect(await transferRows(source, target)).toBe(2502);
});

test("a target whose policies are others is told", async () => {
  await target.query("DROP POLICY nobody ON parents");
  await expect(transferRows(source, target)).rejects.toThrow(TransferDiffersError);
});
