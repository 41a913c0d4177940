/** Every layout of a folder of migrations: names, order, and where each direction's text is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MigrationFolderError, readMigrations } from "../../../config/migrations/read-folder.ts";
import { dependenciesFirst } from "../../../config/migrations/order.ts";
import { sectionOf } from "../../../config/migrations/sections.ts";

let system: string;
beforeEach(() => {
  system = mkdtempSync(join(tmpdir(), "backout-folder-"));
});
afterEach(() => rmSync(system, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(system, path)), { recursive: true });
    writeFileSync(join(system, path), text);
  }
}

function read(folder = "db"): { layout: string; names: string[]; first: unknown } {
  const { layout, migrations } = readMigrations(system, folder);
  return { layout, names: migrations.map(({ name }) => name), first: migrations[0] };
}

describe("refuses, naming what a folder may hold", () => {
  it.each([
    ["no folder", {}],
    ["an empty folder", { "db/README.md": "nothing" }],
    ["a file in place of the folder", { db: "SELECT 1" }],
    ["programs of a tool that is not known", { "db/1_a.ts": "export default 1" }],
  ])("%s", (_name, files: Record<string, string>) => {
    write(files);
    expect(() => read()).toThrow(MigrationFolderError);
    expect(() => read()).toThrow(/Prisma.*Flyway.*Alembic/);
  });

  it("Alembic's revisions that build on each other in a circle", () => {
    expect(() =>
      dependenciesFirst([
        { name: "a", after: ["b"] },
        { name: "b", after: ["a"] },
      ]),
    ).toThrow("a → b → a");
  });
});

describe("SQL files", () => {
  it("Prisma's folders, with the down script that Prisma does not know", () => {
    write({
      "db/migration_lock.toml": "",
      "db/20240102_b/migration.sql": "B",
      "db/20240101_a/migration.sql": "A",
      "db/20240101_a/down.sql": "X",
    });
    expect(read()).toEqual({ layout: "prisma", names: ["20240101_a", "20240102_b"], first: { name: "20240101_a", path: "db/20240101_a" } });
  });

  it("folders with up.sql and down.sql, in the order of their numbers", () => {
    write({ "db/10_b/up.sql": "B", "db/2_a/up.sql": "A", "db/2_a/down.sql": "X" });
    expect(read()).toEqual({
      layout: "up-down",
      names: ["2_a", "10_b"],
      first: { name: "2_a", path: "db/2_a", scripts: { up: { file: "db/2_a/up.sql" }, down: { file: "db/2_a/down.sql" } } },
    });
  });

  it("Flyway's versions, which may have parts; repeatable ones are no revisions", () => {
    write({
      "db/V1__a.sql": "A",
      "db/V1_1__b.sql": "B",
      "db/V10__c.sql": "C",
      "db/V2__d.sql": "D",
      "db/U1__a.sql": "X",
      "db/R__view.sql": "R",
    });
    expect(read().names).toEqual(["V1__a", "V1_1__b", "V2__d", "V10__c"]);
    expect(read().first).toMatchObject({ scripts: { down: { file: "db/U1__a.sql" } } });
  });

  it.each([
    ["dbmate", "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n"],
    ["goose", "-- +goose Up\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\n"],
  ] as const)("both directions in one file, as %s has them, on their own lines", (tool, text) => {
    write({ "db/001_a.sql": text });
    const place = { file: "db/001_a.sql", sections: tool };
    expect(read()).toEqual({
      layout: tool,
      names: ["001_a"],
      first: { name: "001_a", path: "db/001_a.sql", scripts: { up: place, down: place } },
    });
    expect(sectionOf(text, tool, "up")).toBe("\nCREATE TABLE a (id int);");
    expect(sectionOf(text, tool, "down")).toBe("\n\n\nDROP TABLE a;");
  });

  it("golang-migrate's pairs", () => {
    write({ "db/000001_a.up.sql": "A", "db/000001_a.down.sql": "X", "db/000002_b.up.sql": "B" });
    expect(read()).toMatchObject({ layout: "golang-migrate", names: ["000001_a", "000002_b"] });
  });

  it("plain files, and Supabase's by their place", () => {
    write({ "db/2_b.sql": "B", "db/1_a.sql": "A", "db/1_a.down.sql": "X", "supabase/migrations/20240101000000_a.sql": "A" });
    expect(read()).toMatchObject({ layout: "plain", names: ["1_a", "2_b"], first: { scripts: { down: { file: "db/1_a.down.sql" } } } });
    expect(read("supabase/migrations")).toMatchObject({ layout: "supabase", names: ["20240101000000_a"] });
  });
});

describe("migrations that only their tool runs", () => {
  it("Drizzle's journal, with the time by which its ledger knows each", () => {
    write({ "db/meta/_journal.json": JSON.stringify({ entries: [{ idx: 0, when: 1700000000000, tag: "0000_a" }] }), "db/0000_a.sql": "A" });
    expect(read()).toEqual({
      layout: "drizzle",
      names: ["0000_a"],
      first: { name: "0000_a", path: "db/0000_a.sql", version: "1700000000000", scripts: "tool" },
    });
  });

  it("Alembic's revisions in the order in which they build on each other, merges included", () => {
    write({
      "db/env.py": "",
      "db/versions/a.py": 'revision: str = "aa"\ndown_revision: Union[str, None] = "zz"\n',
      "db/versions/m.py": 'revision = "mm"\ndown_revision = ("aa", "bb")\n',
      "db/versions/b.py": "revision = 'bb'\ndown_revision = 'zz'\n",
      "db/versions/z.py": "revision = 'zz'\ndown_revision = None\n",
    });
    expect(read().names).toEqual(["zz", "aa", "bb", "mm"]);
    expect(readMigrations(system, "db").migrations.at(-1)).toMatchObject({ after: ["aa", "bb"], scripts: "tool" });
  });

  it("Django's applications, across their dependencies", () => {
    const file = (dependencies: string): string => `class Migration(migrations.Migration):\n    dependencies = [${dependencies}]\n`;
    write({
      "accounts/migrations/__init__.py": "",
      "accounts/migrations/0002_more.py": file('("shop", "0001_initial")'),
      "accounts/migrations/0001_initial.py": file(""),
      "shop/migrations/0001_initial.py": file("('accounts', '0001_initial')"),
    });
    expect(read(".").names).toEqual(["accounts.0001_initial", "shop.0001_initial", "accounts.0002_more"]);
    expect(read("shop/migrations")).toMatchObject({ layout: "django", names: ["shop.0001_initial"] });
  });

  it.each([
    ["rails", "1_a.rb", "class A < ActiveRecord::Migration[8.0]", "1_a"],
    ["knex", "1_a.js", "exports.up = (knex) => knex.schema", "1_a.js"],
    ["sequelize", "1_a.js", "module.exports = { up: (queryInterface) => 1 }", "1_a.js"],
    ["node-pg-migrate", "1_a.js", "exports.up = (pgm) => pgm.sql('')", "1_a"],
    ["typeorm", "1700000000000-Orders.ts", "export class Orders1700000000000 implements MigrationInterface {}", "Orders1700000000000"],
  ])("%s", (layout, file, text, name) => {
    write({ [`db/${file}`]: text });
    expect(read()).toEqual({ layout, names: [name], first: { name, path: `db/${file}`, scripts: "tool" } });
  });
});
