/** Rows of an export put back into an older state of a file: what cannot be is reported, and nothing is half done. */
// Longer than 300 lines: each case is a schema of its own with one helper that plays it.
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ExportDamagedError } from "../../../databases/shared/export-errors.ts";
import type { ReapplyConflict } from "../../../databases/shared/reapply/result.ts";
import { compareEverything } from "../../../databases/sqlite/comparison.ts";
import { all, openFile } from "../../../databases/sqlite/database.ts";
import { exportDifferences } from "../../../databases/sqlite/export.ts";
import { reapply, type ReapplyResult } from "../../../databases/sqlite/reapply.ts";

let folder: string;
let turn = 0;
const files: DatabaseSync[] = [];

beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "backout-sqlite-reapply-"))));
afterEach(() => files.splice(0).forEach((file) => file.close()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function open(path: string): DatabaseSync {
  const file = openFile(path);
  files.push(file);
  return file;
}

interface Scene {
  live: DatabaseSync;
  current: DatabaseSync;
  runId: string;
}

/** A snapshot, what became of it (`since`), the restored live file (`meanwhile` happened there), and the export of the former. */
async function scene(schema: string, since: string, meanwhile = ""): Promise<Scene> {
  const name = `scene-${++turn}`;
  const paths = ["base", "current", "live"].map((which) => join(folder, `${name}.${which}.db`)) as [string, string, string];
  const base = open(paths[0]);
  base.exec(schema);
  for (const path of paths.slice(1)) copyFileSync(paths[0], path);
  const [current, live] = [open(paths[1]), open(paths[2])];
  current.exec(since);
  live.exec(meanwhile);
  await exportDifferences({ base, current, folder, runId: name });
  return { live, current, runId: name };
}

function conflictsOf({ conflictFile }: ReapplyResult): ReapplyConflict[] {
  if (conflictFile === null) return [];
  const lines = readFileSync(conflictFile, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as ReapplyConflict);
}

function short(result: ReapplyResult): string[] {
  return conflictsOf(result)
    .map(({ table, op, key, reason }) => `${op} ${table} ${Object.values(key).join("/")}: ${reason}`)
    .sort();
}

function count(db: DatabaseSync, table: string): number {
  return all<{ rows: number }>(db, `SELECT count(*) AS rows FROM ${table}`)[0]!.rows;
}

const SHOP = `
  CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT UNIQUE, boss INTEGER REFERENCES customers);
  CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers (id), total REAL CHECK (total >= 0),
                       twice REAL GENERATED ALWAYS AS (total * 2) STORED);
  INSERT INTO customers (name) VALUES ('Ann'), ('Ben'), ('Cy');
  INSERT INTO orders (customer, total) VALUES (1, 10), (2, 20), (3, 30);`;

test("a damaged export, and one that never came to its end, are refused", async () => {
  const { live, runId } = await scene(SHOP, "INSERT INTO customers (name) VALUES ('Di')");
  await expect(reapply({ live, folder, runId: "never" })).rejects.toThrow(/there is no manifest/);
  appendFileSync(join(folder, `${runId}.customers.jsonl`), "{}\n");
  await expect(reapply({ live, folder, runId })).rejects.toThrow(ExportDamagedError);
  expect(count(live, "customers")).toBe(3);
});

test("every kind of conflict is reported with table, key and reason; everything else is put back", async () => {
  const { live, runId } = await scene(
    SHOP,
    `INSERT INTO customers (name) VALUES ('Di'), ('Ed'); UPDATE customers SET name = 'Hush' WHERE id = 2;
     INSERT INTO orders (id, customer, total) VALUES (4, 4, 40), (5, 1, 50), (6, 5, 60), (7, 1, 70), (8, 1, 80);
     UPDATE orders SET total = 11 WHERE id = 1; UPDATE orders SET total = 22 WHERE id = 2; DELETE FROM orders WHERE id = 3; DELETE FROM customers WHERE id = 3`,
    `INSERT INTO customers (id, name) VALUES (4, 'Other'), (9, 'Ed'); UPDATE orders SET total = 99 WHERE id = 1; DELETE FROM orders WHERE id = 2;
     INSERT INTO orders (id, customer, total) VALUES (4, 3, 7);
     CREATE TRIGGER aborts BEFORE INSERT ON orders WHEN new.total = 70 BEGIN SELECT RAISE(ABORT, 'not this one'); END;
     CREATE TRIGGER fails AFTER INSERT ON orders WHEN new.total = 50 BEGIN SELECT RAISE(FAIL, 'nor this one'); END;
     CREATE TRIGGER drops BEFORE UPDATE ON customers WHEN new.name = 'Hush' BEGIN SELECT RAISE(IGNORE); END;`,
  );
  const result = await reapply({ live, folder, runId });
  expect(short(result)).toEqual([
    "delete customers 3: still referenced",
    "insert customers 4: changed on both sides",
    "insert customers 5: constraint violated",
    // The live file gave this order's key to a new order of its own.
    "insert orders 4: changed on both sides",
    "insert orders 6: missing parent",
    "update orders 1: changed on both sides",
    "update orders 2: row gone",
  ]);
  expect(conflictsOf(result).find(({ reason }) => reason === "missing parent")?.detail).toMatch(/customer/);
  expect(result.tables["orders"]).toEqual({ inserted: 3, updated: 0, deleted: 1, unchanged: 0, notHeld: 0, conflicts: 4 });
  // Triggers of the live file have no say in it.
  expect(all(live, "SELECT name FROM customers WHERE id = 2")).toEqual([{ name: "Hush" }]);
  expect(all(live, "SELECT id, total FROM orders ORDER BY id")).toEqual([
    { id: 1, total: 99 },
    { id: 4, total: 7 },
    { id: 5, total: 50 },
    { id: 7, total: 70 },
    { id: 8, total: 80 },
  ]);
});

test("what the live file would replace on a conflict is not replaced, and triggers do not act", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT UNIQUE ON CONFLICT REPLACE); INSERT INTO codes VALUES (1, 'a');
     CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT); CREATE TABLE words (word TEXT PRIMARY KEY, uses INTEGER) WITHOUT ROWID;
     CREATE TRIGGER used AFTER INSERT ON notes BEGIN INSERT OR IGNORE INTO words VALUES (new.word, 1); END;`,
    "INSERT INTO codes VALUES (2, 'b'); INSERT INTO notes VALUES (1, 'x'), (2, 'x')",
    "INSERT INTO codes VALUES (3, 'b'); INSERT INTO words VALUES ('x', 1)",
  );
  const result = await reapply({ live, folder, runId });
  expect(short(result)).toEqual(["insert codes 2: constraint violated"]);
  expect(all(live, "SELECT id, code FROM codes")).toEqual([
    { id: 1, code: "a" },
    { id: 3, code: "b" },
  ]);
  expect(result.tables["notes"]).toMatchObject({ inserted: 2 });
  expect(result.tables["words"]).toMatchObject({ inserted: 0, unchanged: 1 });
  expect(all(live, "SELECT word, uses FROM words")).toEqual([{ word: "x", uses: 1 }]);
});

test("foreign keys count even where the system does not switch them on, or lets them wait; what is put back refers to something", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
     CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES P DEFERRABLE INITIALLY DEFERRED, code TEXT REFERENCES p (code) DEFERRABLE INITIALLY DEFERRED);
     INSERT INTO p VALUES (1, 'one'), (2, 'two'), (3, 'three'); INSERT INTO c VALUES (1, 1, NULL), (2, 2, 'two')`,
    "INSERT INTO c VALUES (3, 77, NULL), (4, 1, 'gone'), (5, 1, 'one'); UPDATE c SET p = 88 WHERE id = 1; DELETE FROM p WHERE id = 3; UPDATE p SET code = '2' WHERE id = 2",
    "INSERT INTO c VALUES (9, 3, NULL)",
  );
  const result = await reapply({ live, folder, runId });
  expect(short(result)).toEqual([
    "delete p 3: still referenced",
    "insert c 3: missing parent",
    "insert c 4: missing parent",
    "update c 1: missing parent",
    "update p 2: still referenced",
  ]);
  expect(conflictsOf(result).find(({ key }) => key["id"] === "4")?.detail).toMatch(/code gone: .*has no such code/);
  expect(all(live, "PRAGMA foreign_key_check")).toEqual([]);
  expect(all(live, "PRAGMA foreign_keys")).toEqual([{ foreign_keys: 0 }]);
});

test("a delete never makes the file delete or change rows the export does not know", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE p (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES p); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p ON DELETE CASCADE);
     INSERT INTO p VALUES (1, NULL), (2, NULL), (3, 3); INSERT INTO c VALUES (1, 1), (2, 2)`,
    "DELETE FROM p; DELETE FROM c",
    "INSERT INTO c VALUES (3, 1)",
  );
  const result = await reapply({ live, folder, runId });
  expect(short(result)).toEqual(["delete p 1: still referenced"]);
  expect(all(live, "SELECT id FROM c")).toEqual([{ id: 3 }]);
  expect(all(live, "SELECT id FROM p")).toEqual([{ id: 1 }]);
});

test("values an older type would change or refuse are conflicts; others are put back", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER, r REAL, t TEXT); CREATE TABLE s (id INTEGER PRIMARY KEY, n INTEGER) STRICT",
    `DROP TABLE a; DROP TABLE s; CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT, r INTEGER, t REAL); CREATE TABLE s (id INTEGER PRIMARY KEY, n TEXT);
     INSERT INTO a VALUES (1, '007', 1, 1), (2, '7', 9007199254740993, 1), (4, '12', 5, 0.5), (5, 'seven', 5, NULL);
     INSERT INTO s VALUES (1, '12'), (2, 'twelve')`,
  );
  const result = await reapply({ live, folder, runId });
  expect(short(result)).toEqual(["insert a 1: value not held", "insert a 2: value not held", "insert s 2: value not held"]);
  expect(all(live, "SELECT id, n, typeof(n) AS n_is, r, typeof(r) AS r_is, t FROM a ORDER BY id")).toEqual([
    { id: 4, n: 12, n_is: "integer", r: 5, r_is: "real", t: "0.5" },
    { id: 5, n: "seven", n_is: "text", r: 5, r_is: "real", t: null },
  ]);
});

test("values that are computed and unique may change places; one that is taken is a conflict", async () => {
  const { live, current, runId } = await scene(
    `CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT, handle AS (lower(name)) STORED UNIQUE, n AS (id * 2)); CREATE UNIQUE INDEX numbers ON user (n);
     INSERT INTO user (name) VALUES ('Ann'), ('Bob')`,
    `UPDATE user SET name = name || '.'; UPDATE user SET name = CASE id WHEN 1 THEN 'Bob' ELSE 'Ann' END; INSERT INTO user VALUES (3, 'Cy'), (4, 'Di')`,
    "INSERT INTO user VALUES (9, 'DI')",
  );
  expect(short(await reapply({ live, folder, runId }))).toEqual(["insert user 4: constraint violated"]);
  const names = "SELECT id, name, handle FROM user WHERE id < 4 ORDER BY id";
  expect(all(live, names)).toEqual(all(current, names));
});

test("a number that was given once is not given again, also where its row is gone", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE bill (id INTEGER PRIMARY KEY AUTOINCREMENT, text); CREATE TABLE first (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE ahead (id INTEGER PRIMARY KEY AUTOINCREMENT);
     CREATE TABLE gone (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO bill (text) VALUES ('one')`,
    `INSERT INTO bill (text) VALUES ('two'), ('three'); DELETE FROM bill WHERE id = 3; INSERT INTO first VALUES (9007199254740993); DELETE FROM first; INSERT INTO ahead VALUES (5);
     INSERT INTO gone VALUES (7)`,
    "INSERT INTO ahead VALUES (8); DROP TABLE gone",
  );
  const sequences = "SELECT name, CAST(seq AS TEXT) AS seq FROM sqlite_sequence ORDER BY name";
  const after = [
    { name: "ahead", seq: "8" },
    { name: "bill", seq: "3" },
    { name: "first", seq: "9007199254740993" },
  ];
  await reapply({ live, folder, runId });
  expect(all(live, sequences)).toEqual(after);
  await reapply({ live, folder, runId });
  expect(all(live, sequences)).toEqual(after);
});

test("what the older schema has no place for stays in the export and is named", async () => {
  const { live, runId } = await scene(
    SHOP,
    `CREATE TABLE queue (id INTEGER PRIMARY KEY); INSERT INTO queue VALUES (1), (2); ALTER TABLE orders ADD note TEXT DEFAULT 'x';
     INSERT INTO orders (customer, total, note) VALUES (1, 5, 'n')`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result.notHeld).toEqual({ tables: { queue: 2 }, columns: { orders: ["note"] } });
  expect(result).toMatchObject({ conflictFile: null, tables: { orders: { inserted: 1 } } });
});

test("rows of a table that the newer schema dropped, or calls otherwise, stay as they were restored", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE gone (id INTEGER PRIMARY KEY); CREATE TABLE old (id INTEGER PRIMARY KEY); INSERT INTO gone VALUES (1), (2); INSERT INTO old VALUES (1)",
    "DROP TABLE gone; ALTER TABLE old RENAME TO newer; INSERT INTO newer VALUES (2)",
  );
  const { tables, notHeld } = await reapply({ live, folder, runId });
  expect({ tables, notHeld }).toEqual({ tables: {}, notHeld: { tables: { newer: 2 }, columns: {}, dropped: { gone: 2, old: 1 } } });
  expect([count(live, "gone"), count(live, "old")]).toEqual([2, 1]);
});

test("inserts, updates and deletes in foreign-key order, through cycles and swapped unique values; then the files are equal and a rerun changes nothing", async () => {
  const { live, current, runId } = await scene(
    `${SHOP} CREATE TABLE seen (orders INTEGER); CREATE TRIGGER sees AFTER INSERT ON orders BEGIN INSERT INTO seen VALUES (new.id); END;`,
    `INSERT INTO customers (id, name) VALUES (20, 'Zed'), (10, 'Yul'); UPDATE customers SET boss = 20 WHERE id = 10; UPDATE customers SET boss = 10 WHERE id = 2;
     INSERT INTO orders (customer, total) VALUES (20, 1.10), (10, 2); UPDATE orders SET customer = 20 WHERE customer = 3; DELETE FROM customers WHERE id = 3;
     UPDATE customers SET name = 'Cy' WHERE id = 1; INSERT INTO customers (id, name) VALUES (30, 'Ann')`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result.conflictFile).toBe(null);
  expect(result.tables).toMatchObject({
    customers: { inserted: 3, updated: 2, deleted: 1 },
    orders: { inserted: 2, updated: 1, deleted: 0 },
    // What the trigger wrote is in the export; it does not write it again.
    seen: { inserted: 2, unchanged: 0 },
  });
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect((await compareEverything(live, current)).tables).toMatchObject({ customers: equal, orders: equal, seen: equal });
  const again = await reapply({ live, folder, runId });
  expect(again.conflictFile).toBe(null);
  expect(again.tables).toMatchObject({
    customers: { ...equal, unchanged: 6 },
    orders: { ...equal, unchanged: 3 },
    seen: { ...equal, unchanged: 2 },
  });
});

test("every value comes back in its storage class, whatever its column is declared as", async () => {
  const { live, current, runId } = await scene(
    `CREATE TABLE v (k TEXT COLLATE NOCASE, b BLOB, a, n NUMERIC, r REAL, i INTEGER, "Odd ""x" TEXT, PRIMARY KEY (k, a)) WITHOUT ROWID;
     CREATE TABLE any_one (id INTEGER PRIMARY KEY, v ANY) STRICT; INSERT INTO v VALUES ('was', 1, 1, 1, 1, 1, '')`,
    `INSERT INTO v VALUES ('\u2028"', x'00ff', 1, 1e300, 9e999, 9223372036854775807, x'01'), ('x', '\\x00ff', 1.0, -9223372036854775808, 1e15, 'one', 'tab\t'),
       ('x', 12, '1', '12a', -0.5, 1.5, '12'), ('x', 12.5, x'31', x'', 1e-7, NULL, NULL);
     DELETE FROM v WHERE k = 'was'; INSERT INTO v VALUES ('WAS', 1, 1, 1, 1, 1, '');
     INSERT INTO any_one VALUES (1, 1), (2, 1.0), (3, '1'), (4, x'31'), (5, '1.0')`,
  );
  expect(await reapply({ live, folder, runId })).toMatchObject({
    conflictFile: null,
    tables: { v: { inserted: 5, deleted: 1 }, any_one: { inserted: 5 } },
  });
  const classes =
    'SELECT hex(k) || quote(b) || typeof(b) || quote(a) || typeof(a) || quote(n) || quote(r) || quote(i) || quote("Odd ""x") AS row FROM v ORDER BY 1';
  expect(all(live, classes)).toEqual(all(current, classes));
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect((await compareEverything(live, current)).tables).toMatchObject({ v: equal, any_one: equal });
  expect(await reapply({ live, folder, runId })).toMatchObject({
    conflictFile: null,
    tables: { v: { ...equal, unchanged: 6 }, any_one: { ...equal, unchanged: 5 } },
  });
});

test("without a key the number of equal rows is put right, once; also where only the older file has one", async () => {
  const { live, current, runId } = await scene(
    `CREATE TABLE m (a TEXT COLLATE NOCASE, rowid, f); INSERT INTO m VALUES ('x', 'a', 1), ('X', 'a', 1), ('y', NULL, NULL), ('y', NULL, NULL), ('y', NULL, NULL);
     CREATE TABLE k (a TEXT PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO k VALUES ('a', 1), ('b', 2)`,
    `INSERT INTO m VALUES ('x', 'a', 1), ('x', 'a', 1); DELETE FROM m WHERE _rowid_ IN (SELECT _rowid_ FROM m WHERE a = 'y' LIMIT 2); INSERT INTO m VALUES ('z', '', x'00');
     DROP TABLE k; CREATE TABLE k (a TEXT, b); INSERT INTO k VALUES ('a', 1), ('c', 3)`,
  );
  expect((await reapply({ live, folder, runId })).tables).toMatchObject({
    m: { inserted: 3, deleted: 2, conflicts: 0 },
    k: { inserted: 1, deleted: 1, conflicts: 0 },
  });
  expect((await compareEverything(live, current)).tables).toMatchObject({ m: { inserted: 0, deleted: 0 }, k: { inserted: 0, deleted: 0 } });
  expect((await reapply({ live, folder, runId })).tables).toMatchObject({
    m: { inserted: 0, deleted: 0, unchanged: 5 },
    k: { inserted: 0, deleted: 0, unchanged: 2 },
  });
});

test("rows with NULL in their key are put right by their number, among rows that their key tells apart", async () => {
  const { live, current, runId } = await scene(
    `CREATE TABLE stock (place TEXT, item TEXT, pieces INTEGER, PRIMARY KEY (place, item));
     INSERT INTO stock VALUES (NULL, 'bolt', 1), (NULL, 'bolt', 1), (NULL, 'nut', 1), ('hall', 'bolt', 1)`,
    `INSERT INTO stock VALUES (NULL, 'bolt', 1), (NULL, 'nut', 2), ('hall', 'nut', 1); UPDATE stock SET pieces = 5 WHERE place = 'hall' AND item = 'bolt';
     DELETE FROM stock WHERE rowid = 3`,
  );
  expect(await reapply({ live, folder, runId })).toMatchObject({
    conflictFile: null,
    tables: { stock: { inserted: 3, updated: 1, deleted: 1 } },
  });
  expect((await compareEverything(live, current)).tables["stock"]).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
  expect((await reapply({ live, folder, runId })).tables["stock"]).toMatchObject({ inserted: 0, updated: 0, deleted: 0, unchanged: 5 });
});

test("full texts and R-trees with rows of their own are put back, and found again", async () => {
  const { live, current, runId } = await scene(
    `CREATE VIRTUAL TABLE note USING fts5 (title, body); CREATE VIRTUAL TABLE letter USING fts4 (body); CREATE VIRTUAL TABLE area USING rtree (id, low, high);
     INSERT INTO note VALUES ('a', 'first words'), ('b', 'that go'); INSERT INTO letter VALUES ('dear'); INSERT INTO area VALUES (1, 0, 1)`,
    `UPDATE note SET body = 'other words' WHERE rowid = 1; DELETE FROM note WHERE rowid = 2; INSERT INTO note (rowid, title, body) VALUES (9, 'c', 'new words');
     INSERT INTO letter VALUES ('sir'); UPDATE area SET high = 7.5 WHERE id = 1; INSERT INTO area VALUES (4, 2, 3)`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result).toMatchObject({ conflictFile: null, notHeld: { tables: {}, columns: {} } });
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect((await compareEverything(live, current)).tables).toMatchObject({ note: equal, letter: equal, area: equal });
  expect(all(live, "SELECT rowid AS id FROM note WHERE note MATCH 'words' ORDER BY 1")).toEqual([{ id: 1 }, { id: 9 }]);
  expect(all(live, "SELECT rowid AS id FROM note WHERE note MATCH 'first OR go'")).toEqual([]);
  expect(all(live, "SELECT id FROM area WHERE high > 5")).toEqual([{ id: 1 }]);
  for (const check of ["INSERT INTO note (note) VALUES ('integrity-check')", "INSERT INTO letter (letter) VALUES ('integrity-check')"])
    live.exec(check);
  expect(all(live, "SELECT rtreecheck('area') AS found")).toEqual([{ found: "ok" }]);
});

test("rows that nothing tells apart stay in the export and are reported, and the others are put back", async () => {
  const { live, current, runId } = await scene(
    "CREATE TABLE odd (rowid TEXT, oid TEXT, _rowid_ TEXT); CREATE TABLE plain (id INTEGER PRIMARY KEY); INSERT INTO odd VALUES ('a', 'b', 'c')",
    "INSERT INTO odd VALUES ('a', 'b', 'c'), ('d', 'e', 'f'); INSERT INTO plain VALUES (1)",
  );
  expect(await reapply({ live, folder, runId })).toMatchObject({ notHeld: { tables: { odd: 2 } }, tables: { plain: { inserted: 1 } } });
  expect(count(live, "plain")).toBe(count(current, "plain"));
});

test("triggers do not run a second time, and are afterwards what they were, to the byte; indexes of full texts follow their tables", async () => {
  const { live, current, runId } = await scene(
    `CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER, updated_at TEXT); CREATE TABLE payment (id INTEGER PRIMARY KEY, account INTEGER, amount INTEGER);
     CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT); CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT);
     CREATE VIRTUAL TABLE "doc index" USING fts5 (body, content = "doc", content_rowid=id);
     CREATE TRIGGER   "pays it"  AFTER INSERT ON payment BEGIN UPDATE account SET balance = balance + new.amount WHERE id = new.account; END;
     CREATE TRIGGER touches AFTER UPDATE ON Account WHEN old.updated_at IS new.updated_at BEGIN UPDATE account SET updated_at = datetime('now', 'subsec') || random() WHERE id = new.id; END;
     CREATE TRIGGER audits /* a comment */ AFTER UPDATE ON account BEGIN INSERT INTO audit (said) VALUES ('to ' || new.balance); END;
     CREATE TRIGGER finds AFTER INSERT ON doc BEGIN INSERT INTO "doc index" (rowid, body) VALUES (new.id, new.body); END;
     CREATE VIEW shown AS SELECT id, upper(body) AS body FROM doc; CREATE VIRTUAL TABLE "shown index" USING fts5 (body, content='shown', content_rowid=id);
     CREATE TRIGGER shows AFTER INSERT ON doc BEGIN INSERT INTO "shown index" (rowid, body) SELECT id, body FROM shown WHERE id = new.id; END;
     CREATE VIEW broken AS SELECT id, no_such_function(body) AS body FROM doc; CREATE VIRTUAL TABLE "broken index" USING fts5 (body, content='broken');
     CREATE TRIGGER lost AFTER DELETE ON payment BEGIN INSERT INTO no_such_table VALUES (1); END;
     INSERT INTO account VALUES (1, 100, 'then'); INSERT INTO doc VALUES (1, 'first words')`,
    "INSERT INTO payment VALUES (1, 1, 50), (2, 1, 7); INSERT INTO doc VALUES (2, 'second words')",
  );
  const schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
  const before = all(live, schema);
  expect((await reapply({ live, folder, runId })).conflictFile).toBe(null);
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect((await compareEverything(live, current)).tables).toMatchObject({
    account: equal,
    payment: equal,
    audit: equal,
  });
  expect(all(live, "SELECT balance FROM account")).toEqual([{ balance: 157 }]);
  expect(all(live, schema)).toEqual(before);
  expect(all(live, `SELECT rowid AS id FROM "doc index" WHERE "doc index" MATCH 'second'`)).toEqual([{ id: 2 }]);
  expect(all(live, `SELECT rowid AS id FROM "shown index" WHERE "shown index" MATCH 'second'`)).toEqual([{ id: 2 }]);
  live.exec("INSERT INTO payment VALUES (3, 1, 1)");
  expect(all(live, "SELECT balance FROM account")).toEqual([{ balance: 158 }]);
});

test("values that moved on, or changed places, come back, whatever makes them unique; rows keep their numbers", async () => {
  const rows = 20_000;
  const shift = `UPDATE pos SET u = -u; UPDATE pos SET u = CASE WHEN -u <= ${rows / 2} THEN -u % ${rows / 2} + 1 ELSE -u + 1 END`;
  const { live, current, runId } = await scene(
    `CREATE TABLE pos (id TEXT PRIMARY KEY, u INTEGER NOT NULL UNIQUE, v TEXT COLLATE NOCASE); CREATE UNIQUE INDEX half ON pos (u / 2) WHERE u % 2 = 0; CREATE UNIQUE INDEX v ON pos (v, u);
     CREATE TABLE leaf (u INTEGER REFERENCES pos (u) ON DELETE CASCADE ON UPDATE SET NULL);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO pos SELECT 'k' || i, i, 'v' FROM n; INSERT INTO leaf VALUES (1)`,
    shift,
  );
  expect(await reapply({ live, folder, runId })).toMatchObject({ conflictFile: null, tables: { pos: { updated: rows } } });
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect((await compareEverything(live, current)).tables).toMatchObject({ pos: equal, leaf: equal });
  const numbers = "SELECT sum(rowid * u) AS product FROM pos";
  expect(all(live, numbers)).toEqual(all(current, numbers));
});

test("one value that is taken keeps a whole row of others where they are; a chain of rows rests on the one that is refused; circles come back", async () => {
  const rows = 11_000;
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`;
  const { live, runId } = await scene(
    `CREATE TABLE pos (id INTEGER PRIMARY KEY, u INTEGER UNIQUE); ${numbers} INSERT INTO pos SELECT i, i FROM n; CREATE TABLE chain (id INTEGER PRIMARY KEY, prev INTEGER REFERENCES chain);
     CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER NOT NULL REFERENCES b); CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a)`,
    `UPDATE pos SET u = -u; UPDATE pos SET u = -u + 1; ${numbers} INSERT INTO chain SELECT i, nullif(i - 1, 1) FROM n; INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1)`,
    `INSERT INTO pos VALUES (0, ${rows + 1}); INSERT INTO chain VALUES (10, 10)`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result.tables["pos"]).toMatchObject({ updated: 0, conflicts: rows - 1 });
  // The live file has a row 10 of its own, to which row 11 may well refer.
  expect(result.tables["chain"]).toMatchObject({ inserted: rows - 2, conflicts: 1 });
  expect(result.tables).toMatchObject({ a: { inserted: 1 }, b: { inserted: 1 } });
  expect(conflictsOf(result)).toHaveLength(rows);
});

test("twenty thousand rows of a table without a key are put right", async () => {
  const { live, current, runId } = await scene(
    "CREATE TABLE m (a, b); INSERT INTO m VALUES (1, 2), (1, 2), (3, 4)",
    "DELETE FROM m WHERE a = 3; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 23000) INSERT INTO m SELECT i % 7000, 2 FROM n",
  );
  expect((await reapply({ live, folder, runId })).tables["m"]).toMatchObject({ inserted: 23_000, deleted: 1 });
  expect((await compareEverything(live, current)).tables).toMatchObject({ m: { inserted: 0, deleted: 0 } });
});

test("a column that was renamed since takes back what was written under its newer name, a key's, too", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT); INSERT INTO customers VALUES (1, 'Ann', 'Ulm'), (2, 'Ben', 'Bonn'), (3, 'Cy', 'Jena');
     CREATE TABLE bare (a TEXT); INSERT INTO bare VALUES ('x')`,
    `ALTER TABLE customers RENAME COLUMN name TO full_name; ALTER TABLE customers RENAME COLUMN id TO number; ALTER TABLE bare RENAME COLUMN a TO b;
     UPDATE customers SET full_name = 'Ann Lee' WHERE number = 1; UPDATE customers SET town = 'Kiel' WHERE number = 2; DELETE FROM customers WHERE number = 3;
     INSERT INTO customers VALUES (4, 'Di', 'Trier'); INSERT INTO bare VALUES ('y')`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result).toMatchObject({ notHeld: { tables: {}, columns: {} }, conflictFile: null });
  expect(all(live, "SELECT * FROM customers ORDER BY id")).toEqual([
    { id: 1, name: "Ann Lee", town: "Ulm" },
    { id: 2, name: "Ben", town: "Kiel" },
    { id: 4, name: "Di", town: "Trier" },
  ]);
  expect(all(live, "SELECT * FROM bare ORDER BY a")).toEqual([{ a: "x" }, { a: "y" }]);
});
