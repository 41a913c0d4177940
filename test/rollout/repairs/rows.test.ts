/** Rows named one by one go back to what they were in a snapshot, and no other row changes. */
import { expect, test } from "vitest";
import { postgresSession } from "../../../databases/postgres/sql-session.ts";
import { ownServer } from "../../databases/postgres/own-server.ts";
import { parseRows, restoreRows, RowSelectionError } from "../../../rollout/repairs/rows.ts";
import { memory } from "../memory.ts";

const TABLES = ["projects", "phases"];
const SCHEMA =
  "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE phases (id INTEGER PRIMARY KEY, project INTEGER REFERENCES projects (id), title TEXT)";
const BEFORE = "INSERT INTO projects VALUES (1, 'one'), (2, 'two'), (3, 'three'); INSERT INTO phases VALUES (1, 1, 'a'), (2, 2, 'b')";

function stand() {
  const snapshot = memory(`${SCHEMA}; ${BEFORE}`).session;
  const live = memory(
    `${SCHEMA}; ${BEFORE}; ALTER TABLE projects ADD COLUMN colour TEXT DEFAULT 'blue';
     UPDATE projects SET name = 'spoilt'; INSERT INTO projects (id, name) VALUES (9, 'made since'); DELETE FROM phases WHERE id = 1`,
  ).session;
  const run = (rows: string) => live.transaction(() => restoreRows({ live, snapshot, tables: TABLES, arguments: { rows }, project: "/" }));
  return { live, run };
}

test("changed, deleted and added rows go back; their neighbours and newer columns stay", async () => {
  const { live, run } = stand();
  expect(await run("phases/1, projects/1, projects/9")).toEqual({
    phases: { inserted: 1, updated: 0, deleted: 0 },
    projects: { inserted: 0, updated: 1, deleted: 1 },
  });
  expect(await live.all("SELECT id, name, colour FROM projects ORDER BY id")).toEqual([
    { id: 1, name: "one", colour: "blue" },
    { id: 2, name: "spoilt", colour: "blue" },
    { id: 3, name: "spoilt", colour: "blue" },
  ]);
  expect(await live.all("SELECT * FROM phases ORDER BY id")).toHaveLength(2);
});

test("a second time it finds nothing to do", async () => {
  const { run } = stand();
  await run("projects/1");
  expect(await run("projects/1")).toEqual({ projects: { inserted: 0, updated: 0, deleted: 0 } });
});

test("what would leave a row without its parent undoes all of it", async () => {
  const { live, run } = stand();
  await live.run("INSERT INTO phases VALUES (7, 9, 'of the new project')");
  await expect(run("projects/1, projects/9")).rejects.toThrow(/FOREIGN KEY/);
  expect(await live.all("SELECT name FROM projects WHERE id = 1")).toEqual([{ name: "spoilt" }]);
});

test.each(["", "projects", "projects/", "orders/1", "projects/77"])('"%s" is refused and changes nothing', async (rows) => {
  const { live, run } = stand();
  await expect(run(rows)).rejects.toThrow(RowSelectionError);
  expect(await live.all("SELECT count(*) AS n FROM projects WHERE name = 'spoilt'")).toEqual([{ n: 3 }]);
});

test("a key may hold a slash", () => {
  expect(parseRows("projects/a/b", TABLES)).toEqual([{ table: "projects", key: "a/b" }]);
});

test("PostgreSQL: rows whose numbers only the server gives go back under the same numbers", async () => {
  const server = await ownServer();
  try {
    const [before, now] = [await server.create("before"), await server.create("now")];
    for (const session of [before, now])
      await session.query(
        "CREATE TABLE projects (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text); INSERT INTO projects (name) VALUES ('one'), ('two')",
      );
    await now.query("UPDATE projects SET name = 'spoilt' WHERE id = 1; DELETE FROM projects WHERE id = 2");
    const [live, snapshot] = [postgresSession(now), postgresSession(before)];
    const repair = { live, snapshot, tables: TABLES, arguments: { rows: "projects/1, projects/2" }, project: "/" };
    expect(await live.transaction(() => restoreRows(repair))).toEqual({ projects: { inserted: 1, updated: 1, deleted: 0 } });
    expect(await live.all("SELECT id, name FROM projects ORDER BY id")).toEqual([
      { id: "1", name: "one" },
      { id: "2", name: "two" },
    ]);
  } finally {
    await server.remove();
  }
}, 120_000);
