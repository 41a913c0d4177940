// Longer than 300 lines: each case is a pair of small databases with one helper that compares them.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type pg from "pg";
import { compareDatabases } from "../../../databases/postgres/comparison.ts";
import { type Difference } from "../../../databases/shared/comparison.ts";
import { bucketCount } from "../../../databases/postgres/comparison-sql.ts";
import { compareTable } from "./compare-table.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;
let pair = 0;

beforeAll(async () => {
  server = await ownServer();
}, 120_000);

afterAll(() => server.remove());

/** Two databases of one origin: `schema` is run in the first, which is then copied; `changes` in the copy. */
async function twins(schema: string, changes: string, collation?: string): Promise<{ base: pg.Client; current: pg.Client }> {
  const name = `twin_${++pair}`;
  const admin = await server.open("postgres");
  const locale = collation === undefined ? "" : ` LOCALE_PROVIDER icu ICU_LOCALE '${collation}'`;
  await admin.query(`CREATE DATABASE ${name} TEMPLATE template0${locale}`);
  const first = await server.open(name);
  await first.query(schema);
  await first.end();
  const current = await server.create(`${name}_now`, name);
  await current.query(changes);
  return { base: await server.open(name), current };
}

async function differencesOf(base: pg.Client, current: pg.Client, table: string): Promise<Difference[]> {
  const found: Difference[] = [];
  await compareTable(base, current, table, (difference) => void found.push(difference));
  return found;
}

test("a table that neither side has is named", async () => {
  const { base, current } = await twins("CREATE TABLE a (id int PRIMARY KEY)", "");
  expect(await compareDatabases(base, current, ["b"])).toMatchObject({ b: { exists: "neither", inserted: 0 } });
  // A comparison leaves no transaction behind.
  expect((await base.query("SELECT now() = statement_timestamp() AS outside")).rows[0]).toEqual({ outside: true });
});

test("a failing callback ends the comparison and leaves both sessions usable", async () => {
  const { base, current } = await twins("CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a SELECT generate_series(1, 5000)");
  const disk = new Error("no space left on device");
  await expect(compareTable(base, current, "a", () => Promise.reject(disk))).rejects.toBe(disk);
  expect(await compareTable(base, current, "a")).toMatchObject({ inserted: 5000, updated: 0, deleted: 0 });
});

test.each(["base", "current"] as const)(
  "the %s session ended in the middle fails the comparison, and the other stays usable",
  async (victim) => {
    const { base, current } = await twins(
      "CREATE TABLE a (id int PRIMARY KEY, t text)",
      "INSERT INTO a SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g",
    );
    await base.query("INSERT INTO a SELECT g, repeat('y', 500) FROM generate_series(1, 20000) g");
    const sessions = { base, current };
    const other = victim === "base" ? current : base;
    const { rows } = await sessions[victim].query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const admin = await server.open("postgres");
    let seen = 0;
    const work = compareTable(base, current, "a", async () => {
      if (++seen === 100) await admin.query("SELECT pg_terminate_backend($1, 5000)", [rows[0]!.pid]);
    });
    await expect(work).rejects.toThrow();
    expect(seen).toBeLessThan(20_000);
    expect((await other.query("SELECT count(*)::int AS n FROM a")).rows).toEqual([{ n: 20_000 }]);
  },
);

test("rows hidden by a policy fail the comparison instead of shortening it", async () => {
  const { base, current } = await twins(
    `CREATE TABLE a (id int PRIMARY KEY); ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON a USING (false);
     CREATE ROLE hidden_${pair + 1} NOLOGIN; GRANT SELECT ON a TO hidden_${pair + 1}`,
    "INSERT INTO a VALUES (1)",
  );
  await current.query(`SET ROLE hidden_${pair}`);
  await expect(compareTable(base, current, "a")).rejects.toThrow(/row-level security/);
});

test("equal databases have no differences", async () => {
  const { base, current } = await twins(
    "CREATE TABLE a (id int PRIMARY KEY, t text); INSERT INTO a SELECT g, g::text FROM generate_series(1, 500) g",
    "",
  );
  expect(await differencesOf(base, current, "a")).toEqual([]);
  expect((await compareDatabases(base, current))["a"]).toMatchObject({
    inserted: 0,
    updated: 0,
    deleted: 0,
    rows: { base: 500, current: 500 },
  });
});

test("inserted, updated and deleted rows carry key, before and row as the server's text", async () => {
  const { base, current } = await twins(
    "CREATE TABLE a (id bigint PRIMARY KEY, n numeric, b bytea, at timestamptz); INSERT INTO a VALUES (1, 1.50, '\\x00ff', '2026-01-01 00:00:00.000001+02'), (2, 2, NULL, NULL), (3, NULL, '', NULL)",
    "UPDATE a SET n = 1.500 WHERE id = 1; DELETE FROM a WHERE id = 2; INSERT INTO a VALUES (9007199254740993, 'NaN', NULL, 'infinity')",
  );
  const found = await differencesOf(base, current, "a");
  const one = { id: "1", n: "1.50", b: "\\x00ff", at: "2025-12-31 22:00:00.000001+00" };
  expect(found).toHaveLength(3);
  expect(found).toContainEqual({ table: "a", op: "update", key: { id: "1" }, before: one, row: { ...one, n: "1.500" } });
  expect(found).toContainEqual({ table: "a", op: "delete", key: { id: "2" }, before: { id: "2", n: "2", b: null, at: null }, row: null });
  const big = "9007199254740993";
  expect(found).toContainEqual({
    table: "a",
    op: "insert",
    key: { id: big },
    before: null,
    row: { id: big, n: "NaN", b: null, at: "infinity" },
  });
});

test("types without equality (json, xml, point) are compared by their text", async () => {
  const { base, current } = await twins(
    `CREATE TABLE a (id int PRIMARY KEY, j json, p point, v tsvector, x xml);
     INSERT INTO a VALUES (1, '{"a": 1}', '(1,2)', 'a b', '<r/>'), (2, '{"a": 1}', '(1,2)', 'a b', '<r/>'), (3, NULL, NULL, NULL, NULL)`,
    `UPDATE a SET j = '{"a":1}' WHERE id = 1; UPDATE a SET p = '(1,3)' WHERE id = 3`,
  );
  const found = await differencesOf(base, current, "a");
  expect(found.map(({ op, key }) => [op, key?.["id"]])).toEqual([
    ["update", "1"],
    ["update", "3"],
  ]);
});

test("NULL and an empty string differ, and so do a comma in a value and two values", async () => {
  const { base, current } = await twins(
    "CREATE TABLE a (id int PRIMARY KEY, x text, y text); INSERT INTO a VALUES (1, NULL, ''), (2, 'a,b', ''), (3, '\"', '(')",
    "UPDATE a SET x = '', y = NULL WHERE id = 1; UPDATE a SET x = 'a', y = 'b,' WHERE id = 2",
  );
  expect(await compareTable(base, current, "a")).toMatchObject({ updated: 2, inserted: 0, deleted: 0 });
});

const ODD_TEXTS = [
  "a",
  "B",
  "b",
  "A",
  "ä",
  "z",
  "Z",
  "",
  " ",
  "a b",
  "a-b",
  "ab",
  "\u{1F600}",
  "\uFF5E",
  "é",
  "e\u0301",
  "\u2028",
  "10",
  "9",
];

test("text keys in a language's collation match whatever that collation's order", async () => {
  const values = ODD_TEXTS.map((_, index) => `($${index + 1}, 0)`).join(", ");
  const { base, current } = await twins("CREATE TABLE a (k text PRIMARY KEY, n int)", "", "en-US");
  await base.query(`INSERT INTO a VALUES ${values}`, ODD_TEXTS);
  await current.query(`INSERT INTO a VALUES ${values}`, [...ODD_TEXTS].reverse());
  expect(await compareTable(base, current, "a")).toMatchObject({ inserted: 0, updated: 0, deleted: 0, by: "primary key" });
  await current.query("UPDATE a SET n = 1");
  const found = await differencesOf(base, current, "a");
  expect(found.every(({ op }) => op === "update")).toBe(true);
  expect(new Set(found.map(({ key }) => key?.["k"]))).toEqual(new Set(ODD_TEXTS));
  // Unpaired on one side, and the other half of the pair sorts after it by its bytes but before it by UTF-16.
  await current.query("DELETE FROM a WHERE k IN ('B', '\uFF5E')");
  await base.query("DELETE FROM a WHERE k = 'ä'");
  expect(await compareTable(base, current, "a")).toMatchObject({ inserted: 1, updated: ODD_TEXTS.length - 3, deleted: 2 });
});

test("composite, uuid, numeric and timestamp keys", async () => {
  const { base, current } = await twins(
    `CREATE TABLE c (x text, y int, "Odd ""name" int, PRIMARY KEY (y, x)); INSERT INTO c SELECT chr(97 + g % 7), g, 0 FROM generate_series(1, 50) g;
     CREATE TABLE u (id uuid PRIMARY KEY, n int); INSERT INTO u SELECT md5(g::text)::uuid, 0 FROM generate_series(1, 50) g;
     CREATE TABLE n (id numeric, at timestamptz, PRIMARY KEY (id, at)); INSERT INTO n SELECT g / 3.0, '2026-01-01'::timestamptz + g * interval '1 h' FROM generate_series(1, 50) g`,
    `UPDATE c SET "Odd ""name" = 1 WHERE y = 10; DELETE FROM c WHERE y = 2; UPDATE u SET n = 1 WHERE id = md5('7')::uuid;
     DELETE FROM n WHERE id > 16; INSERT INTO n VALUES (-1, '-infinity')`,
  );
  const result = await compareDatabases(base, current);
  expect(result).toMatchObject({
    c: { inserted: 0, updated: 1, deleted: 1, key: ["y", "x"] },
    u: { inserted: 0, updated: 1, deleted: 0 },
    n: { inserted: 1, updated: 0, deleted: 2 },
  });
  expect(await differencesOf(base, current, "c")).toContainEqual(expect.objectContaining({ op: "update", key: { y: "10", x: "d" } }));
});

test("without a primary key rows are a multiset, and the result says so", async () => {
  const { base, current } = await twins(
    "CREATE TABLE m (a text, b int); INSERT INTO m VALUES ('x', 1), ('x', 1), ('y', NULL), ('z', 3), ('z', 3), ('z', 3)",
    "INSERT INTO m VALUES ('x', 1), ('x', 1), ('new', 0); DELETE FROM m WHERE a = 'y'; DELETE FROM m WHERE ctid IN (SELECT ctid FROM m WHERE a = 'z' LIMIT 2)",
  );
  expect(await compareTable(base, current, "m")).toMatchObject({ inserted: 3, updated: 0, deleted: 3, by: "multiset", key: [] });
  const found = (await differencesOf(base, current, "m")).map(({ op, row, before, copies, key }) => [
    op,
    (row ?? before)?.["a"],
    copies,
    key,
  ]);
  expect(found).toHaveLength(6);
  expect(found).toEqual(
    expect.arrayContaining([
      ["insert", "new", 1, null],
      ["insert", "x", 3, null],
      ["insert", "x", 4, null],
      ["delete", "y", 0, null],
      ["delete", "z", 1, null],
    ]),
  );
});

test("a key that the newer schema changed makes a multiset, too", async () => {
  const { base, current } = await twins(
    "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL); INSERT INTO a VALUES (1, 1)",
    "ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (id, n)",
  );
  expect(await compareTable(base, current, "a")).toMatchObject({ by: "multiset", inserted: 0, deleted: 0 });
});

test("a column added with a default marks no row; added, dropped and retyped columns are named", async () => {
  const { base, current } = await twins(
    "CREATE TABLE a (id int PRIMARY KEY, gone text, n int, t text); INSERT INTO a SELECT g, 'x', g, 't' FROM generate_series(1, 100) g",
    "ALTER TABLE a ADD added int NOT NULL DEFAULT 7, DROP gone, ALTER n TYPE bigint, ALTER id TYPE bigint; UPDATE a SET t = 'u' WHERE id = 5",
  );
  const [found, ...others] = await differencesOf(base, current, "a");
  expect(others).toEqual([]);
  expect(found).toMatchObject({ op: "update", key: { id: "5" }, row: { added: "7", t: "u" }, before: { gone: "x", t: "t" } });
  const result = await compareTable(base, current, "a");
  expect(result).toMatchObject({ updated: 1, newColumns: ["added"], droppedColumns: ["gone"], retypedColumns: ["id", "n"] });
});

test("a value that was filled into a column the base lacks is a difference; the default and what the column was added with are none", async () => {
  const { base, current } = await twins(
    `CREATE TABLE customer (id int PRIMARY KEY, name text); INSERT INTO customer SELECT g, 'n' || g FROM generate_series(1, 6) g;
     CREATE TABLE rewritten (id int PRIMARY KEY); INSERT INTO rewritten VALUES (1), (2)`,
    `ALTER TABLE customer ADD COLUMN phone text, ADD COLUMN state text NOT NULL DEFAULT 'new', ADD COLUMN score numeric(10, 2) DEFAULT 0, ADD COLUMN at timestamptz DEFAULT now();
     ALTER TABLE customer ALTER COLUMN state DROP DEFAULT;
     UPDATE customer SET phone = '+43' WHERE id = 1; UPDATE customer SET state = 'seen' WHERE id = 2; UPDATE customer SET score = NULL WHERE id = 3;
     UPDATE customer SET name = name WHERE id = 4; INSERT INTO customer (id, name, state) VALUES (7, 'n7', 'new');
     ALTER TABLE rewritten ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED, ADD COLUMN size numeric(4, 1) NOT NULL DEFAULT 3; UPDATE rewritten SET size = 4 WHERE id = 2`,
  );
  const found = await differencesOf(base, current, "customer");
  expect(found.map(({ op, key }) => `${op} ${key!["id"]}`).sort()).toEqual(["insert 7", "update 1", "update 3", ...["update 2"]].sort());
  expect(found.find(({ key }) => key!["id"] === "1")!.row).toMatchObject({ phone: "+43", state: "new" });
  expect((await differencesOf(base, current, "rewritten")).map(({ row }) => row)).toEqual([{ id: "2", twice: "4", size: "4.0" }]);
});

test("a renamed column is the same column: only what was changed in it counts, also where it is the key or there is no key", async () => {
  const { base, current } = await twins(
    `CREATE TABLE person (id int PRIMARY KEY, name text, born date); INSERT INTO person SELECT g, 'n' || g FROM generate_series(1, 5) g;
     CREATE TABLE bag (a text, b text); INSERT INTO bag VALUES ('x', 'y'), ('x', 'y'), ('z', 'y')`,
    `ALTER TABLE person RENAME COLUMN name TO full_name; ALTER TABLE person RENAME COLUMN id TO number; ALTER TABLE person ADD COLUMN alias text;
     UPDATE person SET full_name = 'changed' WHERE number = 2; DELETE FROM person WHERE number = 3; UPDATE person SET alias = 'a' WHERE number = 4;
     ALTER TABLE bag RENAME COLUMN a TO label; ALTER TABLE bag ADD COLUMN c int; DELETE FROM bag WHERE label = 'z'; UPDATE bag SET c = 1 WHERE ctid = '(0,1)'`,
  );
  expect(await compareDatabases(base, current)).toMatchObject({
    person: {
      by: "primary key",
      key: ["number"],
      inserted: 0,
      updated: 2,
      deleted: 1,
      renamedColumns: { id: "number", name: "full_name" },
      newColumns: ["alias"],
    },
    bag: { by: "multiset", inserted: 0, updated: 1, deleted: 1, renamedColumns: { a: "label" } },
  });
  const deleted = (await differencesOf(base, current, "person")).find(({ op }) => op === "delete")!;
  expect(deleted).toMatchObject({ key: { number: "3" }, before: { id: "3", name: "n3" } });
});

test("new and dropped tables count as a whole, partitions through their root, views and the ledger of migrations not at all", async () => {
  const { base, current } = await twins(
    `CREATE TABLE dropped (id int PRIMARY KEY); INSERT INTO dropped VALUES (1), (2);
     CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
     INSERT INTO part VALUES (1); CREATE TABLE _prisma_migrations (id text PRIMARY KEY); CREATE VIEW v AS SELECT 1;
     CREATE SCHEMA other; CREATE TABLE other.a (id int PRIMARY KEY)`,
    `DROP TABLE dropped; CREATE TABLE new_one (a int); INSERT INTO new_one VALUES (1), (1), (2); INSERT INTO _prisma_migrations VALUES ('x');
     CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20); INSERT INTO part VALUES (11); INSERT INTO other.a VALUES (1)`,
  );
  const result = await compareDatabases(base, current);
  expect(Object.keys(result).sort()).toEqual(["dropped", "new_one", "other.a", "part"]);
  expect(result).toMatchObject({
    dropped: { exists: "base only", deleted: 2, rows: { base: 2, current: 0 } },
    new_one: { exists: "current only", inserted: 3, by: "multiset", rows: { base: 0, current: 3 } },
    part: { inserted: 1, rows: { base: 1, current: 2 } },
    "other.a": { inserted: 1 },
  });
  expect((await differencesOf(base, current, "new_one")).map(({ row, copies }) => [row?.["a"], copies])).toEqual([
    ["1", 1],
    ["1", 2],
    ["2", 1],
  ]);
  expect((await differencesOf(base, current, "public.dropped")).map(({ op }) => op)).toEqual(["delete", "delete"]);
  expect(await compareDatabases(base, current, ["_prisma_migrations"])).toMatchObject({ _prisma_migrations: { inserted: 1 } });
});

test("100,000 rows with a few changes: exactly those travel", async () => {
  const { base, current } = await twins(
    "CREATE TABLE big (id bigint PRIMARY KEY, t text, n numeric); INSERT INTO big SELECT g, md5(g::text), g / 7.0 FROM generate_series(1, 100000) g",
    "UPDATE big SET t = 'changed' WHERE id % 10000 = 5; DELETE FROM big WHERE id % 20000 = 0; INSERT INTO big SELECT g, 'new', 0 FROM generate_series(100001, 100007) g",
  );
  expect(await compareTable(base, current, "big")).toMatchObject({
    inserted: 7,
    updated: 10,
    deleted: 5,
    rows: { base: 100_000, current: 100_002 },
  });
  const found = await differencesOf(base, current, "big");
  expect(found.filter(({ op }) => op === "update").map(({ key }) => Number(key?.["id"]) % 10000)).toEqual(Array(10).fill(5));
  // With every row changed the streams hold one batch at a time, and the counts still agree.
  await current.query("UPDATE big SET n = n + 1");
  expect(await compareTable(base, current, "big")).toMatchObject({ inserted: 7, updated: 99_995, deleted: 5 });
});

test("buckets are a power of two between 4096 and 65536", () => {
  expect([0, 1, 4096, 4097, 70_000, 1e9].map(bucketCount)).toEqual([4096, 4096, 4096, 8192, 65_536, 65_536]);
});

/** What `differencesOf` must find, told without digests: every row of both sides as text, by its key. */
async function told(base: pg.Client, current: pg.Client, table: string): Promise<string[]> {
  const rows = async (client: pg.Client) =>
    new Map(
      (await client.query<{ id: string; text: string }>(`SELECT id::text AS id, row_to_json(t)::text AS text FROM ${table} t`)).rows.map(
        ({ id, text }) => [id, text],
      ),
    );
  const [was, is] = [await rows(base), await rows(current)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((id) => was.get(id) !== is.get(id))
    .map((id) => `${was.has(id) ? (is.has(id) ? "update" : "delete") : "insert"} ${id}`)
    .sort();
}

async function found(base: pg.Client, current: pg.Client, table: string): Promise<string[]> {
  return (await differencesOf(base, current, table)).map(({ op, key }) => `${op} ${key?.["id"] ?? "?"}`).sort();
}

test.each([
  ["rows move up into the places of deleted ones", "DELETE FROM a WHERE id <= 10; VACUUM FULL a"],
  [
    "rows are put into the places of deleted ones",
    "DELETE FROM a WHERE id > 950; VACUUM a; INSERT INTO a SELECT g, 'new' FROM generate_series(2001, 2050) g",
  ],
  [
    "the same rows come back after TRUNCATE",
    "CREATE TEMP TABLE k AS TABLE a; TRUNCATE a; INSERT INTO a SELECT id, v FROM k ORDER BY id; UPDATE a SET v = 'x' WHERE id = 7",
  ],
  [
    "a column is dropped and added again with another default",
    "ALTER TABLE a DROP COLUMN v; ALTER TABLE a ADD COLUMN v text DEFAULT 'other'",
  ],
  ["a column is dropped and added again", "ALTER TABLE a DROP COLUMN v; ALTER TABLE a ADD COLUMN v text"],
  [
    "the table is replaced by another of its name",
    "CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO b SELECT id, 'b' FROM a; DROP TABLE a; ALTER TABLE b RENAME TO a",
  ],
  ["everything is frozen", "UPDATE a SET v = 'x' WHERE id % 100 = 0; VACUUM FREEZE a"],
  ["a row is written as it was", "UPDATE a SET v = v WHERE id < 20"],
])("rows are told apart where %s", async (_what, changes) => {
  const { base, current } = await twins(
    "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT g, 'v' || g FROM generate_series(1, 1000) g",
    "",
  );
  for (const change of changes.split("; ")) await current.query(change);
  expect(await found(base, current, "a")).toEqual(await told(base, current, "a"));
});

test("rows of two servers that count alike are told apart", async () => {
  // Both new, so that files, places and, as a rule, transactions have the same numbers.
  const servers = [await ownServer(), await ownServer()];
  try {
    const [base, current] = await Promise.all(
      servers.map(async (one, index) => {
        const client = await one.create("alike");
        await client.query("CREATE TABLE a (id int PRIMARY KEY, v text)");
        await client.query(`INSERT INTO a SELECT g, 'v' || g + ${index} FROM generate_series(1, 100) g`);
        return client;
      }),
    );
    expect(await found(base!, current!, "a")).toHaveLength(100);
  } finally {
    await Promise.all(servers.map((one) => one.remove()));
  }
}, 60_000);

test("a column that each side was given by itself is told by its content", async () => {
  const { base, current } = await twins("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)", "");
  await base.query("ALTER TABLE a ADD COLUMN n int DEFAULT 1");
  await current.query("ALTER TABLE a ADD COLUMN n int DEFAULT 2");
  expect(await found(base, current, "a")).toEqual(["update 1", "update 2"]);
});

test("a label of an enum that is called otherwise marks its rows", async () => {
  const { base, current } = await twins(
    "CREATE TYPE colour AS ENUM ('red', 'blue'); CREATE TABLE a (id int PRIMARY KEY, c colour); INSERT INTO a VALUES (1, 'red'), (2, 'blue')",
    "ALTER TYPE colour RENAME VALUE 'red' TO 'crimson'",
  );
  expect(await found(base, current, "a")).toEqual(["update 1"]);
});

const NO_SUCH_COLUMN = "42703";

test("whatever is done to a table, its versions tell the same rows apart as its content", async () => {
  const key = fc.integer({ min: 1, max: 400 });
  const change = fc.oneof(
    fc.tuple(key, fc.integer({ min: 0, max: 30 })).map(([from, count]) => `DELETE FROM a WHERE id BETWEEN ${from} AND ${from + count}`),
    fc
      .tuple(key, fc.integer({ min: 0, max: 30 }))
      .map(([from, count]) => `UPDATE a SET v = v || '!' WHERE id BETWEEN ${from} AND ${from + count}`),
    fc
      .tuple(key, key)
      .map(([id, count]) => `INSERT INTO a (id, v) SELECT g, 'n' FROM generate_series(${id}, ${id + count}) g ON CONFLICT DO NOTHING`),
    fc.constantFrom(
      "VACUUM a",
      "VACUUM FULL a",
      "VACUUM FREEZE a",
      "CLUSTER a USING a_pkey",
      "ALTER TABLE a DROP COLUMN n",
      "ALTER TABLE a ADD COLUMN IF NOT EXISTS n int DEFAULT 5",
      "ALTER TABLE a ADD COLUMN IF NOT EXISTS m int DEFAULT 1",
      "ALTER TABLE a ALTER COLUMN v TYPE varchar(100)",
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const { base, current } = await twins(
        "CREATE TABLE a (id int PRIMARY KEY, v text, n int DEFAULT 0); INSERT INTO a SELECT g, 'v', 0 FROM generate_series(1, 400) g",
        "",
      );
      for (const one of changes) await current.query(one).catch((error: { code?: string }) => expect(error.code).toBe(NO_SUCH_COLUMN));
      const shared = "id, v";
      const columns = new Set((await current.query("SELECT * FROM a LIMIT 0")).fields.map(({ name }) => name));
      const view = `(SELECT ${shared}${columns.has("n") ? ", n" : ""} FROM a)`;
      expect(await found(base, current, "a")).toEqual(await told(base, current, view));
      await Promise.all([base.end(), current.end()]);
    }),
    { numRuns: 25 },
  );
}, 120_000);
