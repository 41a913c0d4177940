/** Records written since a snapshot are in the restored data again, each once. */
import { expect, test } from "vitest";
import { carryOver } from "../../crossing/carry-over.ts";
import { memory } from "./memory.ts";

const TABLE = "CREATE TABLE logs (id INTEGER PRIMARY KEY, action TEXT, reason TEXT)";
const rows = (from: number, to: number): string =>
  `WITH RECURSIVE n (i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) INSERT INTO logs SELECT i, 'action ' || i, 'it''s "so"' FROM n`;

test("rows that are missing come over, page by page; those that are there stay; a second time there is nothing to do", async () => {
  const setAside = memory(`${TABLE}; ${rows(1, 1203)}`).session;
  const restored = memory(`${TABLE}; ${rows(1, 3)}; UPDATE logs SET action = 'as restored' WHERE id = 2`).session;
  expect(await carryOver(setAside, restored, "logs")).toBe(1200);
  expect(await restored.all("SELECT count(*) AS n, count(DISTINCT id) AS d, sum(action = 'as restored') AS r FROM logs")).toEqual([
    { n: 1203, d: 1203, r: 1 },
  ]);
  expect(await carryOver(setAside, restored, "logs")).toBe(0);
});

test("columns the older schema lacks stay behind, and without the table there is nothing to carry", async () => {
  const newer = memory(
    `${TABLE}; ALTER TABLE logs ADD COLUMN more TEXT DEFAULT 'x'; ${rows(1, 0).replace("SELECT i, 'action ' || i, 'it''s \"so\"'", "SELECT i, 'a', 'r', 'm'")}`,
  ).session;
  const restored = memory(TABLE).session;
  expect(await carryOver(newer, restored, "logs")).toBe(1);
  expect(await restored.all("SELECT * FROM logs")).toEqual([{ id: 1, action: "a", reason: "r" }]);
  expect(await carryOver(newer, memory("CREATE TABLE other (id)").session, "logs")).toBe(0);
});
