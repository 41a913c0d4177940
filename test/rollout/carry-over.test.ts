/** Records written since a snapshot are in the restored data again, each once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { carryOver, carryTables } from "../../rollout/carry-over.ts";
import { postgresSession } from "../../databases/postgres/sql-session.ts";
import { ownServer, type OwnServer } from "../databases/postgres/own-server.ts";
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

test("every value comes over as it was: integers beyond 2^53, numbers that are whole, bytes; a key may be as large", async () => {
  const table = "CREATE TABLE logs (id INTEGER PRIMARY KEY, v)";
  const setAside = memory(
    `${table}; INSERT INTO logs VALUES (9007199254740993, 9007199254740995), (9007199254740994, 1), (9007199254740995, 1.0), (9007199254740996, x'00ff')`,
  );
  const restored = memory(table);
  expect(await carryOver(setAside.session, restored.session, "logs")).toBe(4);
  expect(await restored.session.all("SELECT CAST(id AS TEXT) AS id, quote(v) AS v, typeof(v) AS t FROM logs ORDER BY logs.id")).toEqual([
    { id: "9007199254740993", v: "9007199254740995", t: "integer" },
    { id: "9007199254740994", v: "1", t: "integer" },
    { id: "9007199254740995", v: "1.0", t: "real" },
    { id: "9007199254740996", v: "X'00FF'", t: "blob" },
  ]);
  expect(await restored.session.all("SELECT max(id) AS id, 7 AS seven FROM logs")).toEqual([{ id: 9007199254740996n, seven: 7 }]);
});

test("triggers of the restored table do not run a second time, and are there afterwards", async () => {
  const table = `${TABLE}; CREATE TABLE totals (n INTEGER); INSERT INTO totals VALUES (0);
    CREATE TRIGGER counted AFTER INSERT ON logs BEGIN UPDATE totals SET n = n + 1; END`;
  const setAside = memory(`${table}; ${rows(1, 3)}`).session;
  const restored = memory(table).session;
  expect(await carryTables(setAside, restored, ["logs", "absent"])).toEqual({ logs: 3, absent: 0 });
  expect(await restored.all("SELECT n FROM totals")).toEqual([{ n: 0 }]);
  await restored.run("INSERT INTO logs VALUES (4, 'a', 'r')");
  expect(await restored.all("SELECT n FROM totals")).toEqual([{ n: 1 }]);
});

describe("PostgreSQL", () => {
  let server: OwnServer;
  beforeAll(async () => void (server = await ownServer()), 120_000);
  afterAll(async () => server.remove());

  test.each(["BY DEFAULT", "ALWAYS"])(
    "numbers that the server gives come over as they were (%s), and those it gives next are new ones",
    async (generated) => {
      const name = `carried_${generated.toLowerCase().replace(" ", "_")}`;
      const [older, newer] = [await server.create(name), await server.create(`${name}_newer`)];
      for (const session of [older, newer])
        await session.query(
          `CREATE TABLE logs (id bigint GENERATED ${generated} AS IDENTITY PRIMARY KEY, action text); INSERT INTO logs (action) VALUES ('a')`,
        );
      await newer.query("INSERT INTO logs (action) VALUES ('b'), ('c')");
      const carried = () => carryTables(postgresSession(newer), postgresSession(older), ["logs"]);
      expect(await carried()).toEqual({ logs: 2 });
      expect(await carried()).toEqual({ logs: 0 });
      expect((await older.query("INSERT INTO logs (action) VALUES ('d') RETURNING id")).rows).toEqual([{ id: "4" }]);
    },
  );
});
