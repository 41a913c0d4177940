import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type pg from "pg";
import {
  appliedMigrations,
  applyMigration,
  ledgerRows,
  markRolledBack,
  rollBackMigration,
} from "../../../databases/postgres/migrations.ts";
import { assertCanGoDown } from "../../../databases/shared/migrations/plan.ts";
import { type Migration } from "../../../databases/shared/migrations/script.ts";
import {
  MigrationFailedError,
  MigrationLockedError,
  MigrationUnfinishedError,
  MissingDownScriptError,
  MissingScriptError,
  NotTransactionalError,
  UnknownMigrationError,
} from "../../../databases/shared/migrations/errors.ts";
import { withMigrationLock } from "../../../databases/postgres/migrations/ledger.ts";
import { migrationStand } from "./migration-stand.ts";

const stand = migrationStand();
const { migration } = stand;
let client: pg.Client;

beforeEach(() => {
  client = stand.client;
});

async function exists(table: string, session = client): Promise<boolean> {
  return (await session.query<{ yes: boolean }>("SELECT to_regclass($1) IS NOT NULL AS yes", [table])).rows[0]!.yes;
}

async function status(...known: Migration[]): Promise<[string, string, boolean][]> {
  return (await appliedMigrations(client, "prisma", known)).map((one) => [one.name, one.status, one.clean]);
}

test("a failing script keeps nothing, and names migration, statement, line and the database's words", async () => {
  const one = await migration(
    "01_a",
    "CREATE TABLE a (id int);\n\nINSERT INTO a VALUES (1);\nINSERT INTO a\n  VALUES ('x');\nCREATE TABLE b (id int)",
  );
  const error = await applyMigration(client, one).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(MigrationFailedError);
  expect(error).toMatchObject({ migration: "01_a", direction: "up", statement: 3, statements: 4, line: 4, code: "22P02" });
  expect((error as Error).message).toMatch(
    /migration 01_a failed at statement 3 of 4, line 4: invalid input syntax.*Nothing of it was kept/,
  );
  expect(await exists("a")).toBe(false);
  expect(await status(one)).toEqual([["01_a", "failed", true]]);
  const [row] = await ledgerRows(client);
  expect(row).toMatchObject({ finishedAt: null, rolledBackAt: null, appliedSteps: 0 });
  expect(row!.logs).toContain("invalid input syntax");
  // Corrected and run again: the failed attempt stays in the ledger, as rolled back.
  await migration("01_a", "CREATE TABLE a (id int)");
  expect(await applyMigration(client, one)).toEqual({ name: "01_a", unchanged: false });
  expect(
    (await ledgerRows(client)).map(({ rolledBackAt, finishedAt, logs }) => [rolledBackAt === null, finishedAt === null, logs === null]),
  ).toEqual([
    [false, true, false],
    [true, false, true],
  ]);
});

test("a constraint that waits for the commit fails the migration, too", async () => {
  const one = await migration(
    "01_a",
    "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1)",
  );
  await expect(applyMigration(client, one)).rejects.toThrow(/failed at its end: .*violates foreign key/);
  expect(await exists("c")).toBe(false);
});

test("killed half-way: nothing is kept, the start is seen, and the next run goes on from there", async () => {
  const one = await migration("01_a", "CREATE TABLE a (id int); SELECT pg_sleep(60); CREATE TABLE b (id int)");
  const victim = await stand.open();
  const { rows } = await victim.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const failed = expect(applyMigration(victim, one)).rejects.toThrow(MigrationFailedError);
  const sleeping = () => client.query("SELECT FROM pg_stat_activity WHERE pid = $1 AND query LIKE 'SELECT pg_sleep%'", [rows[0]!.pid]);
  while ((await sleeping()).rowCount === 0);
  expect(await status(one)).toEqual([["01_a", "failed", true]]);
  // While the orphan still works, nobody else migrates.
  await expect(withMigrationLock(client, () => Promise.resolve(), 200)).rejects.toThrow(MigrationLockedError);
  await expect(withMigrationLock(client, () => Promise.resolve(), 200)).rejects.toThrow(`server process ${rows[0]!.pid}`);
  await client.query("SELECT pg_terminate_backend($1, 5000)", [rows[0]!.pid]);
  await failed;
  expect(await exists("a")).toBe(false);
  await migration("01_a", "CREATE TABLE a (id int)");
  expect(await applyMigration(client, one)).toEqual({ name: "01_a", unchanged: false });
  expect(await status(one)).toEqual([["01_a", "applied", false]]);
});

test("a migration another tool left unfinished is not touched until a person says what is there", async () => {
  const one = await migration("01_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  await applyMigration(client, await migration("00_first", "SELECT 1"));
  await client.query("INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'x', '01_a')");
  await expect(applyMigration(client, one)).rejects.toThrow(MigrationUnfinishedError);
  await expect(rollBackMigration(client, one)).rejects.toThrow(MigrationUnfinishedError);
  expect(await exists("a")).toBe(false);
  await markRolledBack(client, "01_a");
  expect(await applyMigration(client, one)).toMatchObject({ unchanged: false });
});

test("missing and empty down scripts, and ones that cannot run as one transaction, are refused before anything is touched", async () => {
  const good = await migration("01_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  const none = await migration("02_b", "CREATE TABLE b (id int)");
  const empty = await migration("03_c", "CREATE TABLE c (id int)", "-- nothing to do\nBEGIN;\nCOMMIT;\n");
  const split = await migration("04_d", "CREATE TABLE d (id int)", "DROP TABLE d; COMMIT; SELECT 1");
  expect(() => assertCanGoDown([empty, none, good])).toThrow(MissingDownScriptError);
  expect(() => assertCanGoDown([empty, none, good])).toThrow(/03_c, 02_b/);
  expect(() => assertCanGoDown([split])).toThrow(NotTransactionalError);
  expect(() => assertCanGoDown([good])).not.toThrow();
  await applyMigration(client, none);
  await applyMigration(client, split);
  await expect(rollBackMigration(client, none)).rejects.toThrow(MissingDownScriptError);
  await expect(rollBackMigration(client, split)).rejects.toThrow(NotTransactionalError);
  expect([await exists("b"), await exists("d")]).toEqual([true, true]);
  await expect(applyMigration(client, { name: "x", folder: join(stand.folder, "nowhere") })).rejects.toThrow(MissingScriptError);
});

test("a failing down script keeps the migration whole and applied", async () => {
  const one = await migration(
    "01_a",
    "CREATE TABLE a (id int); CREATE TABLE b (id int)",
    "BEGIN;\nDROP TABLE a;\nDROP TABLE nowhere;\nCOMMIT;",
  );
  await applyMigration(client, one);
  const error = await rollBackMigration(client, one).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: "MigrationFailedError", direction: "down", statement: 2, line: 3, code: "42P01" });
  expect(await exists("a")).toBe(true);
  expect(await status(one)).toEqual([["01_a", "applied", false]]);
});

test("a script changed after it was applied is seen; other line ends are no change", async () => {
  const one = await migration("01_a", "CREATE TABLE a (id int);\nSELECT 1;\n", "DROP TABLE a");
  await applyMigration(client, one);
  await migration("01_a", "CREATE TABLE a (id int);\r\nSELECT 1;\r\n");
  expect(await status(one)).toEqual([["01_a", "applied", false]]);
  await migration("01_a", "CREATE TABLE a (id bigint);\nSELECT 1;\n");
  expect(await status(one)).toEqual([["01_a", "modified", false]]);
  expect(await applyMigration(client, one)).toEqual({ name: "01_a", unchanged: true });
});

test("status of a database without a ledger touches nothing; the ledger is made as Prisma makes it, and belongs to the owner", async () => {
  const one = await migration("01_a", "CREATE TABLE a (id int)");
  expect(await status(one)).toEqual([["01_a", "pending", false]]);
  expect(await exists("_prisma_migrations")).toBe(false);
  await client.query(`CREATE ROLE owner_${stand.turn} NOLOGIN; GRANT CREATE ON SCHEMA public TO owner_${stand.turn}`);
  await applyMigration(client, one, { owner: `owner_${stand.turn}` });
  const { rows } = await client.query(
    "SELECT relname, relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('a', '_prisma_migrations') ORDER BY 1",
  );
  expect(rows).toEqual([
    { relname: "_prisma_migrations", owner: `owner_${stand.turn}` },
    { relname: "a", owner: `owner_${stand.turn}` },
  ]);
  expect((await client.query("SELECT current_user")).rows).toEqual([{ current_user: "backout" }]);
  const columns = await client.query(
    `SELECT column_name || ' ' || data_type || coalesce(' ' || character_maximum_length, '') || ' ' || is_nullable || coalesce(' ' || column_default, '') AS c
       FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`,
  );
  expect(columns.rows.map((row: { c: string }) => row.c)).toEqual([
    "id character varying 36 NO",
    "checksum character varying 64 NO",
    "finished_at timestamp with time zone YES",
    "migration_name character varying 255 NO",
    "logs text YES",
    "rolled_back_at timestamp with time zone YES",
    "started_at timestamp with time zone NO now()",
    "applied_steps_count integer NO 0",
  ]);
});

test("apply, roll back and apply again; each a second time is unchanged", async () => {
  const one = await migration(
    "01_a",
    "CREATE TABLE a (id int); CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;",
    "DROP FUNCTION f(); DROP TABLE a",
  );
  expect(await rollBackMigration(client, one)).toEqual({ name: "01_a", unchanged: true });
  for (const round of [1, 2]) {
    expect(await applyMigration(client, one)).toEqual({ name: "01_a", unchanged: false });
    expect(await applyMigration(client, one)).toEqual({ name: "01_a", unchanged: true });
    expect(await exists("a")).toBe(true);
    expect(await rollBackMigration(client, one)).toEqual({ name: "01_a", unchanged: false });
    expect(await rollBackMigration(client, one)).toEqual({ name: "01_a", unchanged: true });
    expect(await exists("a")).toBe(false);
    expect(await ledgerRows(client)).toHaveLength(round);
  }
  expect(await status(one)).toEqual([["01_a", "rolled back", false]]);
});

test("marked rolled back though applied successfully; the schema stays; applied again by a script that allows it", async () => {
  const one = await migration("01_a", "CREATE TABLE IF NOT EXISTS a (id int)");
  await applyMigration(client, one);
  await expect(markRolledBack(client, "01_A")).rejects.toThrow(UnknownMigrationError);
  expect(await markRolledBack(client, "01_a")).toEqual({ name: "01_a", unchanged: false });
  expect(await markRolledBack(client, "01_a")).toEqual({ name: "01_a", unchanged: true });
  expect(await exists("a")).toBe(true);
  expect(await status(one)).toEqual([["01_a", "rolled back", false]]);
  expect(await applyMigration(client, one)).toMatchObject({ unchanged: false });
  expect(await status(one)).toEqual([["01_a", "applied", false]]);
  const rows = await ledgerRows(client);
  expect(rows.map(({ rolledBackAt, finishedAt }) => [rolledBackAt !== null, finishedAt !== null])).toEqual([
    [true, true],
    [false, true],
  ]);
  expect(new Set(rows.map(({ checksum }) => checksum)).size).toBe(1);
});

test("one statement that needs to be outside of a transaction runs by itself; with company it is refused", async () => {
  const table = await migration("01_a", "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)");
  await applyMigration(client, table);
  const mixed = await migration("02_b", "CREATE TABLE b (id int); CREATE INDEX CONCURRENTLY i ON a (id)");
  await expect(applyMigration(client, mixed)).rejects.toThrow(NotTransactionalError);
  expect(await exists("b")).toBe(false);
  const unique = await migration("03_c", "CREATE UNIQUE INDEX CONCURRENTLY u ON a (id);", "DROP INDEX CONCURRENTLY u");
  await expect(applyMigration(client, unique)).rejects.toThrow(/could not create unique index.*some of it may be there/);
  // The invalid index is there, so this one is not clean.
  expect(await status(unique)).toEqual([
    ["03_c", "failed", false],
    ["01_a", "unknown", false],
  ]);
  await client.query("DROP INDEX u; DELETE FROM a");
  await markRolledBack(client, "03_c");
  await applyMigration(client, unique);
  expect(await exists("u")).toBe(true);
  await rollBackMigration(client, unique);
  expect(await exists("u")).toBe(false);
});

test("what a script sets for its session does not outlive it", async () => {
  const one = await migration(
    "01_a",
    "SELECT pg_catalog.set_config('search_path', '', false); SET TimeZone = 'Asia/Tokyo'; CREATE ROLE someone_" +
      stand.turn +
      "; SET ROLE someone_" +
      stand.turn,
  );
  await applyMigration(client, one);
  const { rows } = await client.query(
    "SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone, current_user AS who",
  );
  expect(rows).toEqual([{ path: "public", zone: "UTC", who: "backout" }]);
});
