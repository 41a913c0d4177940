/** Migrations of a file: a script and its record are one transaction. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MigrationFailedError } from "../../../databases/shared/migrations/errors.ts";
import { all, hasTable, openFile } from "../../../databases/sqlite/database.ts";
import { appliedMigrations, applyMigration, markRolledBack, rollBackMigration } from "../../../databases/sqlite/migrations.ts";

let folder: string;
let db: DatabaseSync;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-migrations-"));
  db = openFile(join(folder, "live.db"));
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

function migration(name: string, up: string, down?: string) {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "migration.sql"), up);
  if (down !== undefined) writeFileSync(join(path, "down.sql"), down);
  return { name, folder: path };
}

describe.each(["prisma", "backout"] as const)("in the ledger %s", (ledger) => {
  it("applied once, taken back, applied again", () => {
    const one = migration("1_users", "BEGIN; CREATE TABLE users (id INTEGER PRIMARY KEY); COMMIT;", "DROP TABLE users");
    const status = (): string => appliedMigrations(db, ledger, [one])[0]!.status;
    expect([status(), applyMigration(db, one, ledger), applyMigration(db, one, ledger), status()]).toEqual([
      "pending",
      true,
      false,
      "applied",
    ]);
    expect([rollBackMigration(db, one, ledger), hasTable(db, "users"), status()]).toEqual([true, false, "rolled back"]);
    expect([rollBackMigration(db, one, ledger), applyMigration(db, one, ledger), status()]).toEqual([false, true, "applied"]);
    expect([markRolledBack(db, "1_users", ledger), hasTable(db, "users"), status()]).toEqual([true, true, "rolled back"]);
    expect(all(db, `SELECT typeof(started_at) AS type FROM _${ledger}_migrations LIMIT 1`)).toEqual([{ type: "integer" }]);
  });

  it("failed in the middle, nothing of it is kept, and it says where", () => {
    const bad = migration(
      "2_bad",
      "CREATE TABLE a (id);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END;\nINSERT INTO nowhere VALUES (1);",
    );
    expect(() => applyMigration(db, bad, ledger)).toThrow(/statement 3 of 3, line 3: no such table: nowhere/);
    expect([hasTable(db, "a"), appliedMigrations(db, ledger, [bad])[0]!.status]).toEqual([false, "failed"]);
    writeFileSync(join(bad.folder, "migration.sql"), "CREATE TABLE a (id);");
    expect([applyMigration(db, bad, ledger), hasTable(db, "a")]).toEqual([true, true]);
  });

  it("tables may be made anew, but no row may refer to nothing afterwards", () => {
    const tables = migration(
      "1_tables",
      "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) ON DELETE CASCADE); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)",
    );
    applyMigration(db, tables, ledger);
    const anew = migration(
      "2_anew",
      "PRAGMA foreign_keys=OFF; CREATE TABLE q (id INTEGER PRIMARY KEY, more TEXT); INSERT INTO q SELECT id, NULL FROM p; DROP TABLE p; ALTER TABLE q RENAME TO p;",
    );
    expect(applyMigration(db, anew, ledger)).toBe(true);
    expect(all(db, "SELECT count(*) AS rows FROM c")).toEqual([{ rows: 1 }]);
    const orphaning = migration("3_orphans", "DELETE FROM p");
    expect(() => applyMigration(db, orphaning, ledger)).toThrow(MigrationFailedError);
    expect(() => applyMigration(db, orphaning, ledger)).toThrow(/rows that refer to nothing: 1 in c/);
    expect(all(db, "SELECT count(*) AS rows FROM p")).toEqual([{ rows: 1 }]);
  });
});
