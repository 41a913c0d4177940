/** Rows of an export put back into an older state of a file: what cannot be is reported, and nothing is half done. */
import { appendFileSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ExportDamagedError } from "../../postgres/export-errors.ts";
import { TooManyConflictsError, type ReapplyConflict } from "../../postgres/reapply-passes.ts";
import { compareFiles } from "../../sqlite/comparison.ts";
import { all, openFile } from "../../sqlite/database.ts";
import { exportDifferences } from "../../sqlite/export.ts";
import { TransactionEndedError } from "../../sqlite/reapply-write.ts";
import { reapply } from "../../sqlite/reapply.ts";

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
  const tables = all<{ name: string }>(current, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  await exportDifferences({ base, current, tables: tables.map(({ name: table }) => table), folder, runId: name });
  return { live, current, runId: name };
}

function short(conflicts: ReapplyConflict[]): string[] {
  return conflicts.map(({ table, op, key, reason }) => `${op} ${table} ${Object.values(key).join("/")}: ${reason}`).sort();
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
  expect(short(result.conflicts)).toEqual([
    "delete customers 3: still referenced",
    "insert customers 4: changed on both sides",
    "insert customers 5: constraint violated",
    // The live file gave this order's key to a new order of its own.
    "insert orders 4: changed on both sides",
    "insert orders 5: refused",
    "insert orders 6: missing parent",
    "insert orders 7: refused",
    "update customers 2: refused",
    "update orders 1: changed on both sides",
    "update orders 2: row gone",
  ]);
  expect(result.conflicts.find(({ reason }) => reason === "missing parent")?.detail).toMatch(/customer/);
  expect(result.tables["orders"]).toEqual({ inserted: 1, updated: 0, deleted: 1, alreadySo: 0, conflicts: 6 });
  expect(all(live, "SELECT id, total FROM orders ORDER BY id")).toEqual([
    { id: 1, total: 99 },
    { id: 4, total: 7 },
    { id: 8, total: 80 },
  ]);
});

test("too many conflicts put nothing back", async () => {
  const { live, runId } = await scene(
    SHOP,
    "INSERT INTO customers (name) VALUES ('Di'), ('Ed'), ('Flo')",
    "INSERT INTO customers (name) VALUES ('x'), ('y')",
  );
  await expect(reapply({ live, folder, runId, conflictLimit: 1 })).rejects.toThrow(TooManyConflictsError);
  expect(count(live, "customers")).toBe(5);
});

test("rules of the live file that end the whole transaction put nothing back, and say so", async () => {
  const rolls = await scene(
    SHOP,
    "INSERT INTO customers (name) VALUES ('Di'), ('Ed')",
    "CREATE TRIGGER rolls BEFORE INSERT ON customers WHEN new.name = 'Ed' BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END",
  );
  await expect(reapply({ live: rolls.live, folder, runId: rolls.runId })).rejects.toThrow(/all of it.*Set backout:carry to "export"/);
  expect(count(rolls.live, "customers")).toBe(3);
  const waits = await scene(
    "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO p VALUES (1)",
    "CREATE TRIGGER orphans AFTER INSERT ON p BEGIN INSERT INTO c VALUES (77); END",
  );
  await expect(reapply({ live: waits.live, folder, runId: waits.runId })).rejects.toThrow(TransactionEndedError);
  expect(count(waits.live, "p")).toBe(0);
});

test("what the live file would replace on a conflict is not replaced, and what a trigger replaces still is", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT UNIQUE ON CONFLICT REPLACE); INSERT INTO codes VALUES (1, 'a');
     CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT); CREATE TABLE words (word TEXT PRIMARY KEY, uses INTEGER) WITHOUT ROWID;
     CREATE TRIGGER used AFTER INSERT ON notes BEGIN INSERT OR IGNORE INTO words VALUES (new.word, 1); END;`,
    "INSERT INTO codes VALUES (2, 'b'); INSERT INTO notes VALUES (1, 'x'), (2, 'x')",
    "INSERT INTO codes VALUES (3, 'b'); INSERT INTO words VALUES ('x', 1)",
  );
  const result = await reapply({ live, folder, runId });
  expect(short(result.conflicts)).toEqual(["insert codes 2: constraint violated"]);
  expect(all(live, "SELECT id, code FROM codes")).toEqual([
    { id: 1, code: "a" },
    { id: 3, code: "b" },
  ]);
  expect(result.tables["notes"]).toMatchObject({ inserted: 2 });
  expect(result.tables["words"]).toMatchObject({ inserted: 0, alreadySo: 1 });
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
  expect(short(result.conflicts)).toEqual([
    "delete p 3: still referenced",
    "insert c 3: missing parent",
    "insert c 4: missing parent",
    "update c 1: missing parent",
    "update p 2: still referenced",
  ]);
  expect(result.conflicts.find(({ key }) => key["id"] === "4")?.detail).toMatch(/code gone: .*has no such code/);
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
  expect(short(result.conflicts)).toEqual(["delete p 1: still referenced"]);
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
  expect(short(result.conflicts)).toEqual(["insert a 1: value not held", "insert a 2: value not held", "insert s 2: value not held"]);
  expect(all(live, "SELECT id, n, typeof(n) AS n_is, r, typeof(r) AS r_is, t FROM a ORDER BY id")).toEqual([
    { id: 4, n: 12, n_is: "integer", r: 5, r_is: "real", t: "0.5" },
    { id: 5, n: "seven", n_is: "text", r: 5, r_is: "real", t: null },
  ]);
});

test("what the older schema has no place for stays in the export and is named", async () => {
  const { live, runId } = await scene(
    SHOP,
    `CREATE TABLE queue (id INTEGER PRIMARY KEY); INSERT INTO queue VALUES (1), (2); ALTER TABLE orders ADD note TEXT DEFAULT 'x';
     INSERT INTO orders (customer, total, note) VALUES (1, 5, 'n')`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result.notHeld).toEqual({ tables: { queue: 2 }, columns: { orders: ["note"] } });
  expect(result).toMatchObject({ conflicts: [], tables: { orders: { inserted: 1 } } });
});

test("inserts, updates and deletes in foreign-key order, through cycles and swapped unique values; then the files are equal and a rerun is already so", async () => {
  const { live, current, runId } = await scene(
    `${SHOP} CREATE TABLE seen (orders INTEGER); CREATE TRIGGER sees AFTER INSERT ON orders BEGIN INSERT INTO seen VALUES (new.id); END;`,
    `INSERT INTO customers (id, name) VALUES (20, 'Zed'), (10, 'Yul'); UPDATE customers SET boss = 20 WHERE id = 10; UPDATE customers SET boss = 10 WHERE id = 2;
     INSERT INTO orders (customer, total) VALUES (20, 1.10), (10, 2); UPDATE orders SET customer = 20 WHERE customer = 3; DELETE FROM customers WHERE id = 3;
     UPDATE customers SET name = 'Cy' WHERE id = 1; INSERT INTO customers (id, name) VALUES (30, 'Ann')`,
  );
  const result = await reapply({ live, folder, runId });
  expect(result.conflicts).toEqual([]);
  expect(result.tables).toMatchObject({
    customers: { inserted: 3, updated: 2, deleted: 1 },
    orders: { inserted: 2, updated: 1, deleted: 0 },
    // The live file's own trigger wrote them.
    seen: { inserted: 0, alreadySo: 2 },
  });
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect(await compareFiles(live, current)).toMatchObject({ customers: equal, orders: equal, seen: equal });
  const again = await reapply({ live, folder, runId });
  expect(again.conflicts).toEqual([]);
  expect(again.tables).toMatchObject({
    customers: { ...equal, alreadySo: 6 },
    orders: { ...equal, alreadySo: 3 },
    seen: { ...equal, alreadySo: 2 },
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
    conflicts: [],
    tables: { v: { inserted: 5, deleted: 1 }, any_one: { inserted: 5 } },
  });
  const classes =
    'SELECT hex(k) || quote(b) || typeof(b) || quote(a) || typeof(a) || quote(n) || quote(r) || quote(i) || quote("Odd ""x") AS row FROM v ORDER BY 1';
  expect(all(live, classes)).toEqual(all(current, classes));
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect(await compareFiles(live, current)).toMatchObject({ v: equal, any_one: equal });
  expect(await reapply({ live, folder, runId })).toMatchObject({
    conflicts: [],
    tables: { v: { ...equal, alreadySo: 6 }, any_one: { ...equal, alreadySo: 5 } },
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
  expect(await compareFiles(live, current)).toMatchObject({ m: { inserted: 0, deleted: 0 }, k: { inserted: 0, deleted: 0 } });
  expect((await reapply({ live, folder, runId })).tables).toMatchObject({
    m: { inserted: 0, deleted: 0, alreadySo: 5 },
    k: { inserted: 0, deleted: 0, alreadySo: 2 },
  });
});
