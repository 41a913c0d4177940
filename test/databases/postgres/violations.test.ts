import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violationsIn } from "../../../databases/postgres/violations.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;
let session: pg.Client;
beforeAll(async () => {
  server = await ownServer();
  session = await server.create("shop");
  await session.query("CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'a'), (2, 'b')");
});
afterAll(() => server.remove());

const ask = (script: string, change: { writes?: boolean; timeoutMs?: number; limit?: number } = {}) =>
  violationsIn(server.endpoint, "shop", { script, writes: false, timeoutMs: 60_000, limit: 10, ...change });
const count = async () => (await session.query<{ rows: number }>("SELECT count(*)::int AS rows FROM orders")).rows[0]!.rows;

test("rows of all statements, at most so many; what is set for the session stays for the next statement", async () => {
  const script = "-- title: x\nSET search_path TO public;\nSELECT id FROM orders ORDER BY id; SELECT 1 AS one WHERE false;";
  expect(await ask(script)).toEqual([{ id: 1 }, { id: 2 }]);
  expect(await ask("SELECT generate_series(1, 1000000) AS n", { limit: 3 })).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test.each([
  "DELETE FROM orders",
  "COMMIT; DELETE FROM orders",
  "SET TRANSACTION READ WRITE; DELETE FROM orders",
  "SET default_transaction_read_only = off; COMMIT; DELETE FROM orders",
  "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM orders; END $$",
])("a script that does not declare it cannot write: %s", async (script) => {
  await expect(ask(script)).rejects.toThrow(/statement at line 1 failed: .*(read-only|before any query)/);
  expect(await count()).toBe(2);
});

test("one that declares it may, and all of it is taken back; one that ends its transaction is told so", async () => {
  expect(await ask("INSERT INTO orders VALUES (3, 'c');\nSELECT count(*)::int AS rows FROM orders", { writes: true })).toEqual([
    { rows: 3 },
  ]);
  expect(await count()).toBe(2);
  await expect(ask("INSERT INTO orders VALUES (3, 'c');\nSELEC", { writes: true })).rejects.toThrow(/line 2 failed: syntax error/);
  expect(await count()).toBe(2);
  await expect(ask("INSERT INTO orders VALUES (3, 'c'); COMMIT", { writes: true })).rejects.toThrow(/stays: remove its COMMIT/);
  await session.query("DELETE FROM orders WHERE id = 3");
});

test("a statement that hangs is ended by the server", async () => {
  await expect(ask("SELECT pg_sleep(1000)", { timeoutMs: 500 })).rejects.toThrow("did not end within 0.5 s and was ended");
  const asleep = "SELECT count(*)::int AS rows FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
  expect((await session.query(asleep)).rows).toEqual([{ rows: 0 }]);
});
