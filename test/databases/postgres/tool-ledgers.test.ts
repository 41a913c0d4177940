/** backout applies SQL files and enters in the tool's ledger what the tool would have entered; what only the tool writes is left alone. */
import { describe, expect, test } from "vitest";
import {
  appliedMigrations,
  applyMigration,
  detectLedger,
  markRolledBack,
  readLedger,
  rollBackMigration,
} from "../../../databases/postgres/migrations.ts";
import { MigrationFailedError, MigrationUnfinishedError, ToolOnlyError } from "../../../databases/shared/migrations/errors.ts";
import type { Ledger } from "../../../databases/shared/migrations/ledger.ts";
import type { Migration } from "../../../databases/shared/migrations/script.ts";
import { migrationStand } from "./migration-stand.ts";

const stand = migrationStand();

async function two(ledger: Ledger, names: [string, string]): Promise<[Migration, Migration]> {
  const one = await stand.migration(names[0], "CREATE TABLE a (id int)", "DROP TABLE a");
  const other = await stand.migration(names[1], "CREATE TABLE b (id int)", "DROP TABLE b");
  return [
    { ...one, ledger },
    { ...other, ledger, previous: names[0] },
  ];
}

const rows = async (sql: string): Promise<unknown[]> => (await stand.client.query<Record<string, unknown>>(sql)).rows;

const CASES: [Ledger, [string, string], string, unknown[], unknown[]][] = [
  [
    "flyway",
    ["V1__first_table", "V2__second"],
    "SELECT installed_rank AS rank, version, description, type, success FROM flyway_schema_history ORDER BY 1",
    [
      { rank: 1, version: "1", description: "first table", type: "SQL", success: true },
      { rank: 2, version: "2", description: "second", type: "SQL", success: true },
    ],
    [{ rank: 1, version: "1", description: "first table", type: "SQL", success: true }],
  ],
  [
    "dbmate",
    ["20240101000000_a", "20240102000000_b"],
    "SELECT version FROM schema_migrations ORDER BY 1",
    [{ version: "20240101000000" }, { version: "20240102000000" }],
    [{ version: "20240101000000" }],
  ],
  [
    "goose",
    ["00001_a", "00002_b"],
    "SELECT version_id AS version, is_applied AS applied FROM goose_db_version ORDER BY id",
    [
      { version: "0", applied: true },
      { version: "1", applied: true },
      { version: "2", applied: true },
    ],
    [
      { version: "0", applied: true },
      { version: "1", applied: true },
    ],
  ],
  [
    "golang-migrate",
    ["000001_a", "000002_b"],
    "SELECT version, dirty FROM schema_migrations",
    [{ version: "2", dirty: false }],
    [{ version: "1", dirty: false }],
  ],
  [
    "backout",
    ["1_a", "2_b"],
    "SELECT migration_name AS name, rolled_back_at IS NULL AS stands FROM _backout_migrations ORDER BY started_at",
    [
      { name: "1_a", stands: true },
      { name: "2_b", stands: true },
    ],
    [
      { name: "1_a", stands: true },
      { name: "2_b", stands: false },
    ],
  ],
];

describe.each(CASES)("%s", (ledger, names, select, both, first) => {
  test("a script that fails leaves nothing, in the schema or in the ledger, and can be run again", async () => {
    const [one] = await two(ledger, names);
    const bad = { ...(await stand.migration(names[1], "CREATE TABLE b (id int); SELECT * FROM nowhere")), ledger, previous: names[0] };
    await applyMigration(stand.client, one);
    await expect(applyMigration(stand.client, bad)).rejects.toThrow(MigrationFailedError);
    const states = await appliedMigrations(stand.client, ledger, [one, bad]);
    expect(states.map(({ status }) => status === "applied")).toEqual([true, false]);
    await expect(stand.client.query("SELECT FROM b")).rejects.toThrow("does not exist");
    await stand.migration(names[1], "CREATE TABLE b (id int)", "DROP TABLE b");
    expect((await applyMigration(stand.client, bad)).unchanged).toBe(false);
  });

  test("applies, is found, reads the head, reverts and marks", async () => {
    const known = await two(ledger, names);
    for (const migration of known) expect((await applyMigration(stand.client, migration)).unchanged).toBe(false);
    expect((await applyMigration(stand.client, known[1])).unchanged).toBe(true);
    expect(await rows(select)).toEqual(both);
    expect((await detectLedger(stand.client)).map((found) => found.ledger)).toEqual([ledger]);
    expect((await readLedger(stand.client, ledger, known)).head).toBe(names[1]);
    await rollBackMigration(stand.client, known[1]);
    expect(await rows(select)).toEqual(first);
    expect((await readLedger(stand.client, ledger, known)).head).toBe(names[0]);
    await markRolledBack(stand.client, known[0]);
    expect((await readLedger(stand.client, ledger, known)).head).toBe(null);
    await expect(stand.client.query("SELECT FROM a")).resolves.toBeDefined();
  });
});

test("a version that Flyway entered itself, as its file has it, is reverted as well", async () => {
  const [one, other] = await two("flyway", ["V1__first_table", "V1_01__second"]);
  await applyMigration(stand.client, one);
  await applyMigration(stand.client, other);
  expect(await rows("SELECT version FROM flyway_schema_history ORDER BY installed_rank")).toEqual([{ version: "1" }, { version: "1.01" }]);
  await rollBackMigration(stand.client, other);
  expect(await rows("SELECT version FROM flyway_schema_history")).toEqual([{ version: "1" }]);
});

test("a table in another schema is the ledger, too", async () => {
  await stand.client.query(
    "CREATE SCHEMA app; CREATE TABLE app.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)",
  );
  const [one] = await two("golang-migrate", ["1_a", "2_b"]);
  await applyMigration(stand.client, one);
  expect(await rows("SELECT version FROM app.schema_migrations")).toEqual([{ version: "1" }]);
  expect(await rows("SELECT to_regclass('public.schema_migrations') AS other")).toEqual([{ other: null }]);
});

test("golang-migrate's dirty version is nothing to go on from", async () => {
  const [one, other] = await two("golang-migrate", ["1_a", "2_b"]);
  await applyMigration(stand.client, one);
  await stand.client.query("UPDATE schema_migrations SET version = 2, dirty = true");
  await expect(applyMigration(stand.client, other)).rejects.toThrow(MigrationUnfinishedError);
  expect((await readLedger(stand.client, "golang-migrate", [one, other])).head).toBe("1_a");
});

test("what only its tool writes is read, and refused to be written", async () => {
  await stand.client.query("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('bb')");
  const known = ["aa", "bb", "cc"].map((name): Migration => ({ name, folder: "/", ledger: "alembic", byTool: true }));
  const { states, head } = await readLedger(stand.client, "alembic", known);
  expect([head, ...states.map(({ status }) => status)]).toEqual(["bb", "applied", "applied", "pending"]);
  await expect(applyMigration(stand.client, known[2]!)).rejects.toThrow(ToolOnlyError);
  await expect(markRolledBack(stand.client, known[1]!)).rejects.toThrow(ToolOnlyError);
  expect(await rows("SELECT * FROM alembic_version")).toEqual([{ version_num: "bb" }]);
});
