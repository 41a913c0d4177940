/** Each tool's ledger is told by its table, schema and columns, and read to the names of the definition. */
import { describe, expect, it, test } from "vitest";
import { LEDGER_ENGINES, LEDGER_NAMES } from "../../../../../config/system/ledgers.ts";
import { chooseLedger, SeveralLedgersError } from "../../../../../databases/shared/migrations/ledgers/choose.ts";
import type { FoundTable } from "../../../../../databases/shared/migrations/ledgers/descriptor.ts";
import { DESCRIPTORS, recognised } from "../../../../../databases/shared/migrations/ledgers/registry.ts";
import { headOf, rowsOf } from "../../../../../databases/shared/migrations/ledgers/rows.ts";
import { isLedgerTable } from "../../../../../databases/shared/migrations/ledgers/tables.ts";
import { flywayChecksum } from "../../../../../databases/shared/migrations/ledgers/sql-tools.ts";
import type { LedgerName } from "../../../../../config/system/ledgers.ts";

const table = (name: string, columns: Record<string, string>, schema: string | null = "public"): FoundTable => ({ schema, name, columns });
const text = (...names: string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, "text"]));
const found = (...tables: FoundTable[]): string[] => recognised(tables).map(({ ledger }) => ledger);

describe("the same name, told apart by columns", () => {
  test.each([
    ["golang-migrate", table("schema_migrations", { version: "bigint", dirty: "boolean" })],
    ["dbmate", table("schema_migrations", { version: "character varying(128)" })],
    ["dbmate", table("schema_migrations", { version: "varchar(255)" }, null)],
    ["rails", table("schema_migrations", { version: "character varying" })],
    ["rails", table("schema_migrations", { version: "varchar" }, null)],
    ["supabase", table("schema_migrations", text("version", "statements", "name"), "supabase_migrations")],
    ["supabase", table("schema_migrations", text("version"), "supabase_migrations")],
    ["typeorm", table("migrations", { id: "integer", timestamp: "bigint", name: "character varying" })],
  ])("%s", (ledger, one) => expect(found(one)).toEqual([ledger]));

  test.each([
    ["Ecto", table("schema_migrations", { version: "bigint", inserted_at: "timestamp(0) without time zone" })],
    ["Laravel", table("migrations", text("id", "migration", "batch"))],
    ["a table of birds", table("migrations", text("id", "bird", "name"))],
    ["something that is called alembic_version", table("alembic_version", text("number"))],
  ])("a table of %s is none", (_name, one) => expect(found(one)).toEqual([]));
});

test.each([
  ["prisma", "_prisma_migrations", text("id", "migration_name")],
  ["flyway", "flyway_schema_history", text("installed_rank", "version", "script", "checksum", "success")],
  ["alembic", "alembic_version", text("version_num")],
  ["django", "django_migrations", text("id", "app", "name", "applied")],
  ["goose", "goose_db_version", text("id", "version_id", "is_applied", "tstamp")],
  ["knex", "knex_migrations", text("id", "name", "batch", "migration_time")],
  ["sequelize", "SequelizeMeta", text("name")],
  ["node-pg-migrate", "pgmigrations", text("id", "name", "run_on")],
  ["liquibase", "databasechangelog", text("id", "author", "filename", "orderexecuted", "md5sum")],
  ["liquibase", "DATABASECHANGELOG", text("id", "author", "filename", "orderexecuted", "md5sum")],
  ["sqlx", "_sqlx_migrations", text("version", "description", "success", "checksum")],
  ["backout", "_backout_migrations", text("id", "migration_name")],
])("%s is found in any schema", (ledger, name, columns) => {
  expect(found(table(name, columns), table("orders", text("id")))).toEqual([ledger]);
  expect(found(table(name, columns, "app"))).toEqual([ledger]);
});

test("drizzle's is in a schema of its own, and in none where there are none", () => {
  const columns = text("id", "hash", "created_at");
  expect(found(table("__drizzle_migrations", columns, "drizzle"), table("__drizzle_migrations", columns, null))).toEqual([
    "drizzle",
    "drizzle",
  ]);
});

test("every name that a definition may give has a descriptor", () => {
  expect(Object.keys(DESCRIPTORS).sort()).toEqual([...LEDGER_NAMES].sort());
  for (const name of LEDGER_NAMES) expect(LEDGER_ENGINES[name]).toContain("postgres");
});

describe("which ledger a database has", () => {
  const several = [{ ledger: "django" as const }, { ledger: "knex" as const }];
  it("several, and nothing says which: refused with their names", () => {
    expect(() => chooseLedger({ ledger: "auto" }, several)).toThrow(SeveralLedgersError);
    expect(() => chooseLedger({ ledger: "auto" }, several)).toThrow(/django, knex/);
  });
  it("the declared one, the found one, the one of the layout, backout's own", () => {
    expect(chooseLedger({ ledger: "prisma" }, several)).toBe("prisma");
    expect(chooseLedger({ ledger: "auto" }, [{ ledger: "alembic" }])).toBe("alembic");
    expect(chooseLedger({ ledger: "auto", layout: "knex" }, several)).toBe("knex");
    expect(chooseLedger({ ledger: "auto", layout: "goose" }, [])).toBe("goose");
    expect(chooseLedger({ ledger: "auto" }, [])).toBe("backout");
  });
});

describe("rows become migrations of the definition", () => {
  const list = (...names: string[]) => names.map((name) => ({ name, folder: "/" }));
  const read = (ledger: LedgerName, known: string[], ...raw: Record<string, unknown>[]) => {
    const rows = rowsOf(DESCRIPTORS[ledger], raw, list(...known));
    const applied = rows.filter(({ finishedAt, rolledBackAt }) => finishedAt !== null && rolledBackAt === null).map(({ name }) => name);
    return { applied, left: rows.filter(({ finishedAt }) => finishedAt === null).map(({ name }) => name), head: headOf(rows) };
  };

  it("a ledger with the newest revision only stands for those below", () => {
    expect(read("golang-migrate", ["000001_a", "000002_b", "000003_c"], { version: "2", dirty: false })).toEqual({
      applied: ["000001_a", "000002_b"],
      left: [],
      head: "000002_b",
    });
    expect(read("golang-migrate", ["000001_a", "000002_b"], { version: "2", dirty: true })).toEqual({
      applied: ["000001_a"],
      left: ["000002_b"],
      head: "000001_a",
    });
    expect(read("alembic", ["a", "b", "c"], { version: "b" })).toEqual({ applied: ["a", "b"], left: [], head: "b" });
  });

  it("a revision that nobody knows is the head, and says nothing of the others", () => {
    expect(read("alembic", ["a", "b"], { version: "zz" })).toEqual({ applied: ["zz"], left: [], head: "zz" });
  });

  it("Alembic's two heads stand for their own ancestors only", () => {
    const known = [
      { name: "base", folder: "/", after: [] },
      { name: "left", folder: "/", after: ["base"] },
      { name: "right", folder: "/", after: ["base"] },
      { name: "later", folder: "/", after: ["right"] },
    ];
    const rows = rowsOf(DESCRIPTORS.alembic, [{ version: "left" }, { version: "right" }], known);
    expect(rows.map(({ name }) => name)).toEqual(["base", "left", "right"]);
  });

  it("Flyway: one version in three spellings, a baseline, an undone and a failed one", () => {
    const row = (version: string, type: string, success: boolean) => ({
      version,
      type,
      success,
      script: `V${version}__x.sql`,
      checksum: 1,
    });
    const known = ["V1__a", "V2__b", "V3.0__c", "V04__d"];
    expect(
      read("flyway", known, row("2", "BASELINE", true), row("3", "SQL", true), row("3", "UNDO_SQL", true), row("4.0", "SQL", false)),
    ).toEqual({ applied: ["V1__a", "V2__b"], left: ["V04__d"], head: "V2__b" });
  });

  it("Django's own applications are no revisions of the system", () => {
    expect(read("django", ["shop.0001_initial"], { version: "auth.0001_initial" }, { version: "shop.0001_initial" }).applied).toEqual([
      "shop.0001_initial",
    ]);
  });

  it("Drizzle's time is the name of its journal", () => {
    const rows = rowsOf(DESCRIPTORS.drizzle, [{ version: "1700" }], [{ name: "0000_a", folder: "/", version: "1700" }]);
    expect(headOf(rows)).toBe("0000_a");
  });
});

test("a ledger's rows are no users' data, and a table of birds is", () => {
  expect(
    ["alembic_version", "drizzle.__drizzle_migrations", "app.knex_migrations", "SequelizeMeta"].map((name) => isLedgerTable(name)),
  ).toEqual([true, true, true, true]);
  expect([
    isLedgerTable("migrations", ["id", "timestamp", "name"]),
    isLedgerTable("migrations", ["id", "bird", "name"]),
    isLedgerTable("migrations"),
  ]).toEqual([true, false, false]);
});

test("Flyway's checksum leaves line ends and the mark at the beginning out", () => {
  expect(flywayChecksum("\uFEFFSELECT 1;\r\nSELECT 2;\r\n")).toBe(flywayChecksum("SELECT 1;\nSELECT 2;\n"));
  expect(flywayChecksum("a")).not.toBe(flywayChecksum("b"));
  // As Flyway 10.22 itself computed them.
  expect(flywayChecksum("-- a comment \u00e4\r\nCREATE TABLE orders (id int PRIMARY KEY);\n\n")).toBe("-525643554");
  expect(flywayChecksum("CREATE TABLE notes (id int PRIMARY KEY);")).toBe("-908267561");
});
