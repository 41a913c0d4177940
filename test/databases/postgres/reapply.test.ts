import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { carryTables } from "../../../rollout/carry-over.ts";
import { compareDatabases } from "../../../databases/postgres/comparison.ts";
import { ExportDamagedError } from "../../../databases/postgres/export.ts";
import { advanceSequences, reapply } from "../../../databases/postgres/reapply.ts";
import { parentsFirst } from "../../../databases/shared/reapply/result.ts";
import { postgresSession } from "../../../databases/postgres/sql-session.ts";
import { conflictsOf, reapplyStand, short } from "./reapply-stand.ts";

const stand = reapplyStand();
const scene: typeof stand.scene = (...given) => stand.scene(...given);
beforeAll(() => stand.start(), 120_000);
afterEach(() => stand.endSessions());
afterAll(() => stand.remove());

const SHOP = `
  CREATE TABLE customers (id serial PRIMARY KEY, name text UNIQUE, boss int REFERENCES customers);
  CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customers, total numeric(10,2) CHECK (total >= 0),
                       twice numeric GENERATED ALWAYS AS (total * 2) STORED);
  INSERT INTO customers (name) VALUES ('Ann'), ('Ben'), ('Cy');
  INSERT INTO orders (customer, total) VALUES (1, 10), (2, 20), (3, 30)`;

test("foreign keys hold whatever is switched off: the replica role, or triggers of a child; each trigger is afterwards as it was", async () => {
  const { live, runId } = await scene(
    SHOP,
    "INSERT INTO customers (name) VALUES ('Di'); ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey; INSERT INTO orders (customer, total) VALUES (4, 1), (77, 2)",
    "ALTER TABLE orders DISABLE TRIGGER ALL",
  );
  await live.query("SET session_replication_role = replica");
  const states =
    "SELECT tgrelid::regclass::text || ' ' || tgname || ' ' || tgenabled::text || tgdeferrable::text || tginitdeferred::text AS state FROM pg_trigger ORDER BY 1";
  const before = (await live.query(states)).rows;
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(short(result)).toEqual(["insert orders 5: missing parent"]);
  expect(result.tables).toMatchObject({ customers: { inserted: 1 }, orders: { inserted: 1 } });
  expect((await live.query(states)).rows).toEqual(before);
});

test("a damaged export is refused", async () => {
  const { live, runId } = await scene(SHOP, "INSERT INTO customers (name) VALUES ('Di')");
  await appendFile(join(stand.folder, `${runId}.customers.jsonl`), "{}\n");
  await expect(reapply({ live, folder: stand.folder, runId })).rejects.toThrow(ExportDamagedError);
});

test("a connection lost half-way puts nothing back", async () => {
  const { live, runId, name } = await scene(SHOP, "INSERT INTO customers (name) SELECT 'n' || g FROM generate_series(1, 2000) g");
  const work = reapply({ live, folder: stand.folder, runId });
  const failed = expect(work).rejects.toThrow();
  const admin = await stand.open(`${name}_live`);
  const { rows } = await live.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  await admin.query("SELECT pg_terminate_backend($1, 5000)", [rows[0]!.pid]);
  await failed;
  expect((await admin.query("SELECT count(*)::int AS n FROM customers")).rows).toEqual([{ n: 3 }]);
});

test("every kind of conflict is reported with table, key and reason; everything else is put back", async () => {
  const { live, runId } = await scene(
    SHOP,
    `INSERT INTO customers (name) VALUES ('Di'), ('Ed');
     INSERT INTO orders (customer, total) VALUES (4, 40), (1, 50), (5, 60);
     UPDATE orders SET total = 11 WHERE id = 1; UPDATE orders SET total = 22 WHERE id = 2; DELETE FROM orders WHERE id = 3; DELETE FROM customers WHERE id = 3`,
    `INSERT INTO customers (id, name) VALUES (4, 'Other'), (9, 'Ed'); UPDATE orders SET total = 99 WHERE id = 1; DELETE FROM orders WHERE id = 2;
     INSERT INTO orders (customer, total) OVERRIDING SYSTEM VALUE VALUES (3, 7); ALTER TABLE orders ADD CHECK (total <> 50)`,
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(short(result)).toEqual([
    "delete customers 3: still referenced",
    "insert customers 4: changed on both sides",
    "insert customers 5: constraint violated",
    // The live database gave this order's key to a new order of its own.
    "insert orders 4: changed on both sides",
    "insert orders 5: constraint violated",
    "insert orders 6: missing parent",
    "update orders 1: changed on both sides",
    "update orders 2: row gone",
  ]);
  expect(result.tables).toMatchObject({
    orders: { inserted: 0, updated: 0, deleted: 1, conflicts: 5 },
    customers: { inserted: 0, deleted: 0, conflicts: 3 },
  });
  expect(conflictsOf(result).find(({ reason }) => reason === "missing parent")?.detail).toMatch(/customer/);
  expect((await live.query("SELECT id, total FROM orders ORDER BY id")).rows).toEqual([
    { id: 1, total: "99.00" },
    { id: 4, total: "7.00" },
  ]);
});

test("a delete never makes the server delete or change rows the export does not know", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2)`,
    "DELETE FROM p",
    "INSERT INTO c VALUES (3, 1)",
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(short(result)).toEqual(["delete p 1: still referenced"]);
  expect((await live.query("SELECT id FROM c")).rows).toEqual([{ id: 3 }]);
});

test("values an older type would round or refuse are conflicts; others are put back", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE a (id int PRIMARY KEY, n numeric(6,2), t varchar(3)); INSERT INTO a VALUES (1, 1, 'a'), (2, 2, 'b')",
    `ALTER TABLE a ALTER n TYPE numeric(10,4), ALTER t TYPE text, ALTER id TYPE bigint;
     INSERT INTO a VALUES (3, 3.5, 'abc'), (4, 4.1234, 'a'), (5, 5, 'abcd'), (3000000000, 1, 'x'), (7, 100000, 'x')`,
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  const notHeld = ["3000000000", "4", "5", "7"].map((id) => `insert a ${id}: value not held`);
  expect(short(result)).toEqual(notHeld);
  expect((await live.query("SELECT n, t FROM a WHERE id = 3")).rows).toEqual([{ n: "3.50", t: "abc" }]);
});

test("what the older schema has no place for stays in the export and is named", async () => {
  const { live, runId } = await scene(
    SHOP,
    `CREATE TABLE queue (id int PRIMARY KEY); INSERT INTO queue VALUES (1), (2); ALTER TABLE orders ADD note text DEFAULT 'x'; INSERT INTO orders (customer, total, note) VALUES (1, 5, 'n')`,
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(result.notHeld).toEqual({ tables: { queue: 2 }, columns: { orders: ["note"] } });
  expect(result).toMatchObject({ conflictFile: null, tables: { orders: { inserted: 1 } } });
});

test("inserts, updates and deletes in foreign-key order, through cycles and swapped unique values; then the databases are equal and a rerun changes nothing", async () => {
  const { live, current, runId } = await scene(
    SHOP,
    `INSERT INTO customers (id, name) VALUES (20, 'Zed'), (10, 'Yul'); UPDATE customers SET boss = 20 WHERE id = 10; UPDATE customers SET boss = 10 WHERE id = 2;
     INSERT INTO orders (customer, total) VALUES (20, 1.10), (10, 2); UPDATE orders SET customer = 20 WHERE customer = 3; DELETE FROM customers WHERE id = 3;
     UPDATE customers SET name = 'Cy' WHERE id = 1; INSERT INTO customers (id, name) VALUES (30, 'Ann')`,
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(result).toMatchObject({ conflictFile: null });
  expect(result.tables).toMatchObject({
    customers: { inserted: 3, updated: 2, deleted: 1 },
    orders: { inserted: 2, updated: 1, deleted: 0 },
  });
  const equal = { inserted: 0, updated: 0, deleted: 0 };
  expect(await compareDatabases(live, current)).toMatchObject({ customers: equal, orders: equal });
  expect(result.sequences).toEqual([
    { sequence: "public.customers_id_seq", value: "30" },
    { sequence: "public.orders_id_seq", value: "5" },
  ]);
  // The first write afterwards does not collide.
  expect((await live.query("INSERT INTO customers (name) VALUES ('next') RETURNING id")).rows).toEqual([{ id: 31 }]);
  const again = await reapply({ live, folder: stand.folder, runId });
  expect(again).toMatchObject({ conflictFile: null, sequences: [] });
  expect(again.tables).toMatchObject({ customers: { ...equal, unchanged: 6 }, orders: { ...equal, unchanged: 3 } });
});

test("odd values come back exactly: bytea, json, arrays, char(n), booleans, infinity, line separators", async () => {
  const { live, current, runId } = await scene(
    `CREATE TABLE v (k text, b bytea, j json, a text[], c char(5), f boolean, n numeric, at timestamptz, d double precision, p point, i interval, "Odd ""x" text, PRIMARY KEY (k, c))`,
    `INSERT INTO v VALUES (E'\\u2028"', '\\x00ff', '{"a":  1, "a": 2}', '{"x,y",NULL,"null"}', 'ab', true, 'NaN', 'infinity', 0.1::float8 + 0.2, '(1,2)', '1 mon -1 day', E'tab\\t'),
                          ('', '', '[]', '{}', '', false, 1e-20, '2026-01-01 00:00:00.123456+00', '-Infinity', NULL, NULL, NULL)`,
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(result).toMatchObject({ conflictFile: null, tables: { v: { inserted: 2 } } });
  expect((await compareDatabases(live, current))["v"]).toMatchObject({
    inserted: 0,
    updated: 0,
    deleted: 0,
    rows: { base: 2, current: 2 },
  });
  expect((await reapply({ live, folder: stand.folder, runId })).tables["v"]).toMatchObject({ inserted: 0, unchanged: 2 });
});

test("without a key the number of equal rows is put right, once", async () => {
  const { live, current, runId } = await scene(
    "CREATE TABLE m (a text, c char(3), f bool); INSERT INTO m VALUES ('x', 'a', true), ('x', 'a', true), ('y', NULL, NULL), ('y', NULL, NULL), ('y', NULL, NULL)",
    "INSERT INTO m VALUES ('x', 'a', true), ('x', 'a', true); DELETE FROM m WHERE ctid IN (SELECT ctid FROM m WHERE a = 'y' LIMIT 2); INSERT INTO m VALUES ('z', '', false)",
  );
  expect((await reapply({ live, folder: stand.folder, runId })).tables["m"]).toMatchObject({ inserted: 3, deleted: 2, conflicts: 0 });
  expect((await compareDatabases(live, current))["m"]).toMatchObject({ inserted: 0, deleted: 0 });
  expect((await reapply({ live, folder: stand.folder, runId })).tables["m"]).toMatchObject({ inserted: 0, deleted: 0, unchanged: 5 });
});

test("sequences go forward only, count downwards where they do, and stop at their own limit", async () => {
  const { live } = await scene("CREATE TABLE a (id serial PRIMARY KEY)", "");
  await live.query(`INSERT INTO a VALUES (5); SELECT setval('a_id_seq', 100); CREATE SEQUENCE down INCREMENT -1; CREATE TABLE d (id int DEFAULT nextval('down'));
    INSERT INTO d VALUES (-7); CREATE SEQUENCE few MAXVALUE 10; CREATE TABLE f (id bigint DEFAULT nextval('few')); INSERT INTO f VALUES (50); CREATE TABLE e (id serial)`);
  expect(await advanceSequences(live)).toEqual([
    { sequence: "public.down", value: "-7" },
    { sequence: "public.few", value: "10" },
  ]);
  expect(await advanceSequences(live)).toEqual([]);
  expect((await live.query("INSERT INTO e DEFAULT VALUES RETURNING id")).rows).toEqual([{ id: 1 }]);
});

test("parents come before children whatever the foreign keys are, cycles included", () => {
  const names = ["a", "b", "c", "d", "e"];
  const name = fc.constantFrom(...names);
  fc.assert(
    fc.property(fc.array(fc.record({ child: name, parent: name }), { maxLength: 12 }), (keys) => {
      const order = parentsFirst(names, keys);
      expect([...order].sort()).toEqual(names);
      const acyclic = keys.filter(({ child, parent }) => child > parent);
      const sorted = parentsFirst(names, acyclic);
      for (const { child, parent } of acyclic) expect(sorted.indexOf(parent)).toBeLessThan(sorted.indexOf(child));
    }),
  );
});

test("records that outlive a restore come over without the triggers of their table, which are afterwards as they were", async () => {
  const { live, current } = await scene(
    `CREATE TABLE totals (n int); INSERT INTO totals VALUES (0); CREATE TABLE logs (id int PRIMARY KEY, action text);
     CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE totals SET n = n + 1; NEW.action := upper(NEW.action); RETURN NEW; END';
     CREATE TRIGGER counted BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION counted()`,
    "ALTER TABLE logs DISABLE TRIGGER counted; INSERT INTO logs VALUES (1, 'signed in'), (2, 'signed out')",
  );
  expect(await carryTables(postgresSession(current), postgresSession(live), ["logs", "absent"])).toEqual({ logs: 2, absent: 0 });
  expect((await live.query("SELECT n, (SELECT string_agg(action, ' ' ORDER BY id) FROM logs) AS actions FROM totals")).rows).toEqual([
    { n: 0, actions: "signed in signed out" },
  ]);
  await live.query("INSERT INTO logs VALUES (3, 'again')");
  expect((await live.query("SELECT n FROM totals")).rows).toEqual([{ n: 1 }]);
});

test("a column that was renamed since takes back what was written under its newer name, a key's, too", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE customers (id int PRIMARY KEY, name TEXT NOT NULL, town TEXT); INSERT INTO customers VALUES (1, 'Ann', 'Ulm'), (2, 'Ben', 'Bonn'), (3, 'Cy', 'Jena');
     CREATE TABLE bare (a TEXT); INSERT INTO bare VALUES ('x')`,
    `ALTER TABLE customers RENAME COLUMN name TO full_name; ALTER TABLE customers RENAME COLUMN id TO number; ALTER TABLE bare RENAME COLUMN a TO b;
     UPDATE customers SET full_name = 'Ann Lee' WHERE number = 1; UPDATE customers SET town = 'Kiel' WHERE number = 2; DELETE FROM customers WHERE number = 3;
     INSERT INTO customers VALUES (4, 'Di', 'Trier'); INSERT INTO bare VALUES ('y')`,
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(result).toMatchObject({ notHeld: { tables: {}, columns: {} }, conflictFile: null });
  expect((await live.query("SELECT * FROM customers ORDER BY id")).rows).toEqual([
    { id: 1, name: "Ann Lee", town: "Ulm" },
    { id: 2, name: "Ben", town: "Kiel" },
    { id: 4, name: "Di", town: "Trier" },
  ]);
  expect((await live.query("SELECT * FROM bare ORDER BY a")).rows).toEqual([{ a: "x" }, { a: "y" }]);
});

test("rows that unindexed columns refer to go by an index that lasts as long as that: the table is not read for each of them", async () => {
  const { live, runId } = await scene(
    `CREATE SCHEMA "Odd"; CREATE TABLE parent (id int PRIMARY KEY, other int UNIQUE); CREATE TABLE "Odd".child (id int PRIMARY KEY, parent int REFERENCES parent, other int REFERENCES parent (other));
     INSERT INTO parent SELECT g, g FROM generate_series(1, 5000) g; INSERT INTO "Odd".child SELECT g, g, g FROM generate_series(1, 5000) g`,
    'DELETE FROM "Odd".child WHERE id <= 200; DELETE FROM parent WHERE id <= 200',
  );
  const indexes = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = '\"Odd\".child'::regclass ORDER BY 1";
  const before = (await live.query(indexes)).rows;
  const reads = "SELECT pg_stat_get_xact_numscans('\"Odd\".child'::regclass)::int AS scans";
  let scans = -1;
  const result = await reapply({
    live,
    folder: stand.folder,
    runId,
    beforeCommit: async () => void (scans = (await live.query<{ scans: number }>(reads)).rows[0]!.scans),
  });
  expect(result).toMatchObject({ tables: { parent: { deleted: 200 }, "Odd.child": { deleted: 200 } }, conflictFile: null });
  expect(scans).toBeGreaterThan(-1);
  expect(scans).toBeLessThan(50);
  expect((await live.query(indexes)).rows).toEqual(before);
});
