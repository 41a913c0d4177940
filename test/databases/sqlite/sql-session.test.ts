import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { sqliteSession } from "../../../databases/sqlite/sql-session.ts";

function opened() {
  const database = new DatabaseSync(":memory:");
  database.exec(
    "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id))",
  );
  return { database, session: sqliteSession(database) };
}

test("values stand for $1, $2 in the SQL, and a statement says how many rows it changed", async () => {
  const { session } = opened();
  expect(await session.run("INSERT INTO parent (id) VALUES ($1), ($2)", [7, 8])).toBe(2);
  expect(await session.all("SELECT id FROM parent WHERE id > $1", [7])).toEqual([{ id: 8 }]);
});

test("in a transaction rows come in any order, and a violated foreign key undoes all of it", async () => {
  const { session } = opened();
  await session.transaction(async () => {
    await session.run("INSERT INTO child (id, parent) VALUES (1, 5)");
    await session.run("INSERT INTO parent (id) VALUES (5)");
  });
  const broken = session.transaction(async () => {
    await session.run("INSERT INTO parent (id) VALUES (6)");
    await session.run("INSERT INTO child (id, parent) VALUES (2, 99)");
  });
  await expect(broken).rejects.toThrow(/FOREIGN KEY/);
  expect(await session.all("SELECT id FROM parent")).toEqual([{ id: 5 }]);
});
