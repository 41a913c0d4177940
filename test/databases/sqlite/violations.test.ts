import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violationsIn } from "../../../databases/sqlite/violations.ts";

const folder = mkdtempSync(join(tmpdir(), "backout-violations-"));
const file = join(folder, "shop.db");
let database: DatabaseSync;
beforeAll(() => {
  database = new DatabaseSync(file);
  database.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, note); INSERT INTO orders VALUES (1, 'a'), (2, x'0102')");
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (script: string, change: { writes?: boolean; timeoutMs?: number; limit?: number } = {}) =>
  violationsIn(file, { script, writes: false, timeoutMs: 60_000, limit: 10, ...change });
const count = () => (database.prepare("SELECT count(*) AS rows FROM orders").get() as { rows: number }).rows;

test("rows of all statements, at most so many; large integers and bytes are told", async () => {
  expect(await ask("-- one\nSELECT id FROM orders ORDER BY id; SELECT 9007199254740993 AS big;")).toEqual([
    { id: 1 },
    { id: 2 },
    { big: "9007199254740993" },
  ]);
  expect(await ask("SELECT note FROM orders WHERE id = 2")).toEqual([{ note: "2 bytes" }]);
  expect(await ask("SELECT id FROM orders", { limit: 1 })).toHaveLength(1);
});

test("a script that writes is refused unless it declares so, and then all of it is taken back", async () => {
  await expect(ask("SELECT 1;\nDELETE FROM orders")).rejects.toThrow(/statement at line 2 failed: .*readonly/);
  const writing = "INSERT INTO orders VALUES (3, 'c'); SELECT count(*) AS rows FROM orders";
  expect(await ask(writing, { writes: true })).toEqual([{ rows: 3 }]);
  expect(count()).toBe(2);
  await expect(ask("INSERT INTO orders VALUES (3, 'c'); SELEC", { writes: true })).rejects.toThrow(/line 1 failed: .*syntax/);
  expect(count()).toBe(2);
});

test("a query without end is ended with its process", async () => {
  const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
  await expect(ask(endless, { timeoutMs: 1_500 })).rejects.toThrow("did not end within 1.5 s and was ended");
});
