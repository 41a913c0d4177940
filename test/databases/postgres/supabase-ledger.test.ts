import { beforeEach, expect, test } from "vitest";
import type pg from "pg";
import { appliedMigrations, applyMigration, markRolledBack, rollBackMigration } from "../../../databases/postgres/migrations.ts";
import { type Migration } from "../../../databases/shared/migrations/script.ts";
import { MigrationFailedError } from "../../../databases/shared/migrations/errors.ts";
import { migrationStand } from "./migration-stand.ts";

const stand = migrationStand("supabase");
const { migration } = stand;
let client: pg.Client;

beforeEach(() => {
  client = stand.client;
});

async function status(...known: Migration[]): Promise<[string, string][]> {
  return (await appliedMigrations(client, "supabase", known)).map((one) => [one.name, one.status]);
}

async function ledger(): Promise<unknown[]> {
  return (await client.query<Record<string, unknown>>("SELECT * FROM supabase_migrations.schema_migrations ORDER BY version")).rows;
}

test("reads what the tool itself wrote: also a migration nobody knows, and a ledger from before it kept names and statements", async () => {
  const first = await migration("20250101000001_first", "CREATE TABLE a (i int);\n-- a comment\nCREATE TABLE b (i int);\n");
  expect(await status(first)).toEqual([["20250101000001_first", "pending"]]);
  await client.query("CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY)");
  await client.query("INSERT INTO supabase_migrations.schema_migrations VALUES ('20240101000000')");
  expect(await status(first)).toEqual([
    ["20250101000001_first", "pending"],
    ["20240101000000", "unknown"],
  ]);
  await client.query("ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN statements text[], ADD COLUMN name text");
  await client.query("INSERT INTO supabase_migrations.schema_migrations VALUES ('20250101000001', $1, 'first')", [
    ["CREATE TABLE a (i int)", "CREATE TABLE b (i int)"],
  ]);
  expect((await status(first))[0]).toEqual(["20250101000001_first", "applied"]);
  await client.query("UPDATE supabase_migrations.schema_migrations SET statements = ARRAY['CREATE TABLE other ()'] WHERE name = 'first'");
  expect((await status(first))[0]).toEqual(["20250101000001_first", "modified"]);
});

test("applies, keeps the row as the tool does, takes back by the down script and can be applied again", async () => {
  const one = await migration("20250101000001_one", "CREATE TABLE t (i int); CREATE INDEX t_i ON t (i);", "DROP TABLE t;");
  expect((await applyMigration(client, one)).unchanged).toBe(false);
  expect((await applyMigration(client, one)).unchanged).toBe(true);
  expect(await ledger()).toEqual([
    { version: "20250101000001", name: "one", statements: ["CREATE TABLE t (i int)", "CREATE INDEX t_i ON t (i)"] },
  ]);
  await rollBackMigration(client, one);
  expect(await ledger()).toEqual([]);
  expect(await status(one)).toEqual([["20250101000001_one", "pending"]]);
  await applyMigration(client, one);
  await markRolledBack(client, one);
  expect(await status(one)).toEqual([["20250101000001_one", "pending"]]);
  expect((await client.query("SELECT to_regclass('t') IS NOT NULL AS there")).rows).toEqual([{ there: true }]);
});

test("a script that fails leaves nothing, and no row that says otherwise", async () => {
  const bad = await migration("20250101000002_bad", "CREATE TABLE half (i int); SELECT 1 / 0;");
  await expect(applyMigration(client, bad)).rejects.toThrow(MigrationFailedError);
  expect(await ledger()).toEqual([]);
  expect((await client.query("SELECT to_regclass('half') IS NULL AS gone")).rows).toEqual([{ gone: true }]);
  expect(await status(bad)).toEqual([["20250101000002_bad", "pending"]]);
});
