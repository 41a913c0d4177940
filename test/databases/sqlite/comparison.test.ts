import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareEverything } from "../../../databases/sqlite/comparison.ts";
import { openFile } from "../../../databases/sqlite/database.ts";
import { exportDifferences } from "../../../databases/sqlite/export.ts";

let folder: string;
let turn = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-compare-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function twins(schema: string, changes: string) {
  const [base, current] = [1, 2].map((side) => openFile(join(folder, `${++turn}-${side}.db`)));
  for (const db of [base!, current!]) db.exec(schema);
  current!.exec(changes);
  return { base: base!, current: current! };
}

const counts = (inserted: number, updated: number, deleted: number) => ({ inserted, updated, deleted });

test("full-text tables are compared by their own rows; one without content is named, and only where it may have changed can it be lost", async () => {
  const { base, current } = twins(
    `CREATE VIRTUAL TABLE note USING fts5(title, body); INSERT INTO note VALUES ('a', 'one'), ('b', 'two');
     CREATE VIRTUAL TABLE bare USING fts5(t, content=''); CREATE VIRTUAL TABLE still USING fts5(t, content=''); CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)`,
    "INSERT INTO note VALUES ('c', 'three'); UPDATE note SET body = 'zwei' WHERE title = 'b'; INSERT INTO bare (rowid, t) VALUES (1, 'q'); INSERT INTO box VALUES (1, 0, 1)",
  );
  const { tables, notCompared } = await compareEverything(base, current);
  expect(tables).toMatchObject({ note: counts(1, 1, 0), box: counts(1, 0, 0) });
  expect(notCompared.map(({ name, mayBeLost }) => [name, mayBeLost])).toEqual([
    ["bare", true],
    ["still", false],
  ]);
});

test("NULL keys, 1 beside 1.0 and large integers count as what they are", async () => {
  const { base, current } = twins(
    `CREATE TABLE p (id TEXT PRIMARY KEY, v); INSERT INTO p VALUES (NULL, 1), (NULL, 2), ('x', 9007199254740993);
     CREATE TABLE bag (v); INSERT INTO bag VALUES (1), (1.0), (2)`,
    "DELETE FROM p; INSERT INTO p VALUES ('x', 9007199254740992), (NULL, 2), (NULL, 1), (NULL, 3); DELETE FROM bag; INSERT INTO bag VALUES (1.0), (2), (1), (1.0)",
  );
  expect((await compareEverything(base, current)).tables).toMatchObject({ p: counts(1, 1, 0), bag: counts(1, 0, 0) });
});

test.each(["UTF-8", "UTF-16le", "UTF-16be"])(
  "a file of %s: rows are matched in one order whatever the text, and text is exported as it reads",
  async (encoding) => {
    const { base, current } = twins(
      `PRAGMA encoding = '${encoding}'; CREATE TABLE k (id TEXT PRIMARY KEY, v); INSERT INTO k VALUES ('a', 1), ('b', 'ä'), ('\uff5a', x'01'), ('\u{1f600}', 2.5);
     CREATE TABLE w (id TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w SELECT * FROM k; CREATE TABLE bag (v); INSERT INTO bag SELECT id FROM k; INSERT INTO bag SELECT v FROM k`,
      "INSERT INTO k VALUES ('\u0200', 'ö\ufffd'); INSERT INTO w SELECT * FROM k WHERE id = '\u0200'; INSERT INTO bag VALUES ('\u0200'); UPDATE w SET v = 'ü' WHERE id = 'b'; DELETE FROM k WHERE id = '\uff5a'",
    );
    const { files } = await exportDifferences({ base, current, folder, runId: `order-${encoding}` });
    const lines = files.filter(({ kind }) => kind === "jsonl").flatMap(({ path }) => readFileSync(path, "utf8").trimEnd().split("\n"));
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      { op: "insert", key: null, row: { v: "\u0200" }, before: null, copies: 1 },
      { op: "insert", key: { id: "\u0200" }, row: { id: "\u0200", v: "ö\ufffd" }, before: null },
      { op: "delete", key: { id: "\uff5a" }, row: null, before: { id: "\uff5a", v: "\\x01" }, classes: { before: { v: "blob" } } },
      { op: "update", key: { id: "b" }, row: { id: "b", v: "ü" }, before: { id: "b", v: "ä" } },
      { op: "insert", key: { id: "\u0200" }, row: { id: "\u0200", v: "ö\ufffd" }, before: null },
    ]);
  },
);

test("text that is no UTF-8 is compared and exported byte by byte, with its class", async () => {
  const { base, current } = twins(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, CAST(x'c328' AS TEXT)), (2, char(65533)); CREATE TABLE w (k TEXT PRIMARY KEY) WITHOUT ROWID",
    "UPDATE t SET v = CAST(x'c329' AS TEXT) WHERE id = 1; INSERT INTO w VALUES (CAST(x'ff' AS TEXT))",
  );
  const { files } = await exportDifferences({ base, current, folder, runId: "bytes" });
  const lines = files.filter(({ kind }) => kind === "jsonl").map(({ path }) => JSON.parse(readFileSync(path, "utf8")) as object);
  expect(lines).toMatchObject([
    {
      op: "update",
      before: { v: "\\xc328" },
      row: { v: "\\xc329" },
      classes: { before: { v: "invalid text" }, row: { v: "invalid text" } },
    },
    { op: "insert", row: { k: "\\xff" }, classes: { row: { k: "invalid text" } } },
  ]);
});

test("what was filled into a new column counts, its default does not; a renamed column is the same", async () => {
  const { base, current } = twins(
    "CREATE TABLE c (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    "ALTER TABLE c RENAME COLUMN name TO title; ALTER TABLE c ADD COLUMN phone TEXT; ALTER TABLE c ADD COLUMN size INTEGER NOT NULL DEFAULT '5'; UPDATE c SET phone = '+43' WHERE id = 1; UPDATE c SET title = 'B' WHERE id = 2",
  );
  expect((await compareEverything(base, current)).tables).toMatchObject({
    c: { ...counts(0, 2, 0), newColumns: ["phone", "size"], renamedColumns: { name: "title" } },
  });
});
