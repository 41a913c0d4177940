/** What was exported is what is there afterwards: whatever the live database would do of itself, and in whatever order its rules allow it. */
// Longer than 300 lines: each case is a schema of its own with one helper that plays it.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type pg from "pg";
import { LARGE_OBJECTS } from "../../../databases/shared/not-compared.ts";
import { compareDatabases } from "../../../databases/postgres/comparison.ts";
import { reapply, type ReapplyResult } from "../../../databases/postgres/reapply.ts";
import { conflictsOf, reapplyStand, short, type Scene } from "./reapply-stand.ts";

const stand = reapplyStand();
const scene: typeof stand.scene = (...given) => stand.scene(...given);
beforeAll(() => stand.start(), 120_000);
afterEach(() => stand.endSessions());
afterAll(() => stand.remove());

const EQUAL = { inserted: 0, updated: 0, deleted: 0 };

/** Put back without a conflict, and then equal to what was exported. */
async function exact({ live, current, runId }: Scene): Promise<ReapplyResult> {
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(conflictsOf(result)).toEqual([]);
  for (const [table, found] of Object.entries(await compareDatabases(live, current))) expect({ table, ...found }).toMatchObject(EQUAL);
  return result;
}

async function cells(client: pg.Client, text: string): Promise<unknown[]> {
  return (await client.query<Record<string, unknown>>(text)).rows.map((row) => Object.values(row).join(" "));
}

/** How many statements a session sends meanwhile. */
async function statements(client: pg.Client, work: () => Promise<unknown>): Promise<number> {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  let sent = 0;
  client.query = ((...given: unknown[]) => {
    sent++;
    return query(...given);
  }) as typeof client.query;
  await work().finally(() => void (client.query = query as typeof client.query));
  return sent;
}

const BANK = `
  CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, updated_at timestamptz NOT NULL DEFAULT '2026-01-01');
  CREATE TABLE payment (id serial PRIMARY KEY, account int NOT NULL REFERENCES account, amount int NOT NULL);
  CREATE TABLE audit (id serial PRIMARY KEY, said text NOT NULL);
  CREATE TABLE event (id int NOT NULL, day int NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10); CREATE TABLE event_2 PARTITION OF event DEFAULT;
  CREATE FUNCTION pays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE account SET balance = balance + NEW.amount WHERE id = NEW.account; RETURN NULL; END $$;
  CREATE FUNCTION touches() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
  CREATE FUNCTION audits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit (said) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
  CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
  CREATE TRIGGER pays AFTER INSERT ON payment FOR EACH ROW EXECUTE FUNCTION pays();
  CREATE TRIGGER touches BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION touches();
  CREATE TRIGGER audits AFTER INSERT OR UPDATE OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION audits();
  CREATE CONSTRAINT TRIGGER waits AFTER UPDATE ON account DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audits();
  CREATE TRIGGER day AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION audits();
  CREATE TRIGGER one AFTER INSERT ON event_1 FOR EACH ROW EXECUTE FUNCTION audits();
  CREATE RULE also AS ON INSERT TO payment DO ALSO INSERT INTO audit (said) VALUES ('rule');
  CREATE TRIGGER off BEFORE INSERT ON payment FOR EACH ROW EXECUTE FUNCTION refuses(); ALTER TABLE payment DISABLE TRIGGER off;
  CREATE TRIGGER late BEFORE INSERT ON payment FOR EACH ROW EXECUTE FUNCTION refuses(); ALTER TABLE payment ENABLE REPLICA TRIGGER late;
  CREATE TRIGGER always AFTER UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION audits(); ALTER TABLE payment ENABLE ALWAYS TRIGGER always;
  ALTER TABLE event_1 DISABLE TRIGGER day;
  INSERT INTO account VALUES (1, 100), (2, 100)`;

test("triggers and rules do not run a second time: balances, times and audit rows are what they were, and each is switched as it was", async () => {
  const found = await scene(
    BANK,
    `INSERT INTO payment (account, amount) VALUES (1, 50), (2, 7); UPDATE payment SET amount = 8 WHERE id = 2; DELETE FROM account WHERE false;
     INSERT INTO event VALUES (1, 1), (2, 50); INSERT INTO account VALUES (3, 5)`,
  );
  const switched = `SELECT tgrelid::regclass::text, tgname, tgenabled::text, tgdeferrable, tginitdeferred FROM pg_trigger UNION ALL SELECT ev_class::regclass::text, rulename, ev_enabled::text, NULL, NULL FROM pg_rewrite
                    UNION ALL SELECT conrelid::regclass::text, conname, convalidated::text, condeferrable, condeferred FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2`;
  const before = await cells(found.live, switched);
  await exact(found);
  expect(await cells(found.live, "SELECT id, balance FROM account ORDER BY id")).toEqual(["1 150", "2 107", "3 5"]);
  expect(await cells(found.live, switched)).toEqual(before);
  // They work again: the row is audited, under a number of its own.
  await found.live.query("INSERT INTO account VALUES (4, 0)");
  expect(await cells(found.live, "SELECT said FROM audit ORDER BY id DESC LIMIT 1")).toEqual(["INSERT account"]);
});

test.each([
  ["an index", "CREATE TABLE pos (id int PRIMARY KEY, u int NOT NULL); CREATE UNIQUE INDEX pos_u ON pos (u)"],
  ["a constraint on a column that may be empty", "CREATE TABLE pos (id int PRIMARY KEY, u int UNIQUE)"],
  ["a constraint that can wait", "CREATE TABLE pos (id int PRIMARY KEY, u int NOT NULL UNIQUE DEFERRABLE)"],
  ["an expression", "CREATE TABLE pos (id int PRIMARY KEY, u int NOT NULL); CREATE UNIQUE INDEX pos_u ON pos ((u * 2)) WHERE u > 0"],
  [
    "a constraint of a table whose rows take others along",
    `CREATE TABLE pos (id int PRIMARY KEY, u int NOT NULL CONSTRAINT pos_u UNIQUE); CREATE TABLE leaf (pos int REFERENCES pos ON DELETE CASCADE); COMMENT ON INDEX pos_u IS 'places';
     ALTER TABLE pos REPLICA IDENTITY USING INDEX pos_u; INSERT INTO pos VALUES (-1, -1); INSERT INTO leaf VALUES (-1)`,
  ],
])("values that moved on, or changed places, under %s come back, with as many statements for many rows as for few", async (_, schema) => {
  const sent: number[] = [];
  for (const rows of [50, 1_500]) {
    const found = await scene(
      `${schema}; INSERT INTO pos SELECT i, i FROM generate_series(1, ${rows}) i`,
      `BEGIN; CREATE TEMP TABLE was ON COMMIT DROP AS SELECT * FROM pos WHERE id > 0; DELETE FROM pos WHERE id > 0;
       INSERT INTO pos SELECT id, CASE WHEN id <= ${rows / 2} THEN u % ${rows / 2} + 1 ELSE u + 1 END FROM was WHERE id <> ${rows - 5}; COMMIT`,
    );
    const facts =
      "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid), indisreplident, obj_description(indexrelid) FROM pg_index WHERE indrelid = 'pos'::regclass ORDER BY 1";
    const before = await cells(found.live, facts);
    sent.push(await statements(found.live, () => reapply({ live: found.live, folder: stand.folder, runId: found.runId })));
    const again = await exact(found);
    expect(again.tables["pos"]).toMatchObject({ ...EQUAL, unchanged: rows });
    expect(await cells(found.live, facts)).toEqual(before);
  }
  // Rows travel a thousand at a time.
  expect(sent[1]! - sent[0]!).toBeLessThanOrEqual(4);
});

test("one value that is taken keeps a whole row of others where they are: more than ten thousand conflicts are counted and told in a file", async () => {
  const rows = 10_500;
  const { live, runId } = await scene(
    `CREATE TABLE pos (id int PRIMARY KEY, u int NOT NULL UNIQUE); INSERT INTO pos SELECT i, i FROM generate_series(1, ${rows}) i`,
    "ALTER TABLE pos DROP CONSTRAINT pos_u_key; UPDATE pos SET u = u + 1",
    `INSERT INTO pos VALUES (0, ${rows + 1})`,
  );
  const sent = await statements(live, () => reapply({ live, folder: stand.folder, runId }));
  expect(sent).toBeLessThan(150);
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(result.tables["pos"]).toMatchObject({ ...EQUAL, conflicts: rows });
  expect(conflictsOf(result)).toHaveLength(rows);
  expect(new Set(conflictsOf(result).map(({ reason }) => reason))).toEqual(new Set(["constraint violated"]));
});

test("rows that refer to each other in a circle, move to others and give way to others come back in whatever order the keys allow", async () => {
  await exact(
    await scene(
      `CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
       CREATE TABLE c (id int PRIMARY KEY, a int NOT NULL REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE, up int REFERENCES c ON DELETE RESTRICT);
       CREATE TABLE code (id int PRIMARY KEY, code text UNIQUE); CREATE TABLE uses (id int PRIMARY KEY, code text REFERENCES code (code));
       INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 1), (2, 2); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE;
       INSERT INTO c VALUES (1, 1, NULL), (2, 2, 1), (3, 1, 2); INSERT INTO code VALUES (1, 'x'), (2, 'y'); INSERT INTO uses VALUES (1, 'x'), (2, 'y')`,
      `BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO a VALUES (3, 3); INSERT INTO b VALUES (3, 3); UPDATE c SET a = 3, up = NULL WHERE id IN (2, 3); DELETE FROM c WHERE id = 1;
       UPDATE b SET a = 3 WHERE id = 1; DELETE FROM a WHERE id = 1; COMMIT;
       UPDATE uses SET code = NULL; UPDATE code SET code = 'z' WHERE id = 1; UPDATE code SET code = 'x' WHERE id = 2; UPDATE code SET code = 'y' WHERE id = 1; UPDATE uses SET code = 'x' WHERE id = 2; UPDATE uses SET code = 'y' WHERE id = 1;
       DELETE FROM b WHERE id = 2 AND false`,
    ),
  );
});

test("what has to be made again comes back also where checks of the same rows wait: an index whose values changed places, a number of the server's", async () => {
  const given = await scene(
    `CREATE TABLE customer (id int PRIMARY KEY);
     CREATE TABLE job (id int PRIMARY KEY, place int CONSTRAINT places UNIQUE, number int GENERATED ALWAYS AS IDENTITY, customer int REFERENCES customer);
     CREATE TABLE line (id int PRIMARY KEY, job int REFERENCES job ON DELETE CASCADE); CREATE TABLE note (id int PRIMARY KEY, job int REFERENCES job);
     INSERT INTO customer VALUES (1), (2); INSERT INTO job (id, place, customer) VALUES (1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1);
     INSERT INTO line VALUES (1, 1); INSERT INTO note VALUES (1, 4)`,
    `INSERT INTO customer VALUES (3); UPDATE job SET place = place + 10, customer = 3, number = DEFAULT WHERE id < 3; UPDATE job SET place = 13 - place WHERE id < 3;
     UPDATE note SET job = 3; DELETE FROM job WHERE id = 4; INSERT INTO job (id, place, customer) VALUES (5, 4, 2); UPDATE note SET job = 5`,
  );
  await exact(given);
  expect(
    await cells(given.live, "SELECT attidentity AS i FROM pg_attribute WHERE attrelid = 'job'::regclass AND attname = 'number'"),
  ).toEqual(["a"]);
  expect(await cells(given.live, "SELECT pg_get_constraintdef(oid) AS c FROM pg_constraint WHERE conname = 'places'")).toEqual([
    "UNIQUE (place)",
  ]);
});

test("a chain of rows that refer to one that is refused is left out as a whole, in few statements", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE n (id int PRIMARY KEY, prev int REFERENCES n); INSERT INTO n VALUES (1, NULL)",
    "INSERT INTO n SELECT i, i - 1 FROM generate_series(2, 3000) i; UPDATE n SET prev = NULL WHERE id = 2",
    "ALTER TABLE n ADD CHECK (id <> 1000)",
  );
  const sent = await statements(live, () => reapply({ live, folder: stand.folder, runId }));
  expect(sent).toBeLessThan(150);
  expect(await cells(live, "SELECT count(*), max(id) FROM n")).toEqual(["999 999"]);
});

test("keys and references of times: what several rows cover together is referred to, and times may change places", async (context) => {
  const session = await stand.open("postgres");
  const { rows } = await session.query<{ version: number }>("SELECT current_setting('server_version_num')::int AS version");
  if (rows[0]!.version < 180_000) context.skip("WITHOUT OVERLAPS came with PostgreSQL 18");
  await exact(
    await scene(
      `CREATE EXTENSION btree_gist; CREATE TABLE price (id int, valid int4range, amount int, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
       CREATE TABLE sale (id int PRIMARY KEY, price int, during int4range, FOREIGN KEY (price, PERIOD during) REFERENCES price (id, PERIOD valid));
       CREATE TABLE slot (id int PRIMARY KEY, room int, during int4range, UNIQUE (room, during WITHOUT OVERLAPS));
       INSERT INTO price VALUES (1, '[1,5)', 1), (1, '[5,9)', 1); INSERT INTO sale VALUES (1, 1, '[2,7)'); INSERT INTO slot VALUES (1, 1, '[1,5)'), (2, 1, '[5,9)')`,
      `UPDATE price SET amount = 2; INSERT INTO price VALUES (1, '[9,12)', 3); INSERT INTO sale VALUES (2, 1, '[2,11)');
       UPDATE slot SET during = '[20,30)' WHERE id = 1; UPDATE slot SET during = '[1,5)' WHERE id = 2; UPDATE slot SET during = '[5,9)' WHERE id = 1`,
    ),
  );
});

test("a row of a parent that equals one of a child is a row of its own", async () => {
  const found = await scene(
    "CREATE TABLE p (id int, t text); CREATE TABLE c (extra int) INHERITS (p); CREATE TABLE k (id int PRIMARY KEY, t text); CREATE TABLE kc (PRIMARY KEY (id)) INHERITS (k); INSERT INTO c VALUES (1, 'x', 1); INSERT INTO kc VALUES (1, 'x')",
    "INSERT INTO p VALUES (1, 'x'); INSERT INTO k VALUES (1, 'x'), (2, 'y'); INSERT INTO kc VALUES (2, 'z'); UPDATE kc SET t = 'w' WHERE id = 1; DELETE FROM c",
  );
  await exact(found);
  expect(await cells(found.live, "SELECT tableoid::regclass, id, t FROM k ORDER BY 1, 2")).toEqual(["k 1 x", "k 2 y", "kc 1 w", "kc 2 z"]);
});

test("a key that was written otherwise, and that its type takes for the same, is another row's: the one goes, the other comes", async () => {
  const given = await scene(
    `CREATE EXTENSION citext; CREATE TABLE reader (email citext PRIMARY KEY, name text); INSERT INTO reader VALUES ('ann@x', 'Ann'), ('bob@x', 'Bob');
     CREATE TABLE price (amount numeric PRIMARY KEY, name text UNIQUE); INSERT INTO price VALUES (1.0, 'one'), (2, 'two');
     CREATE TABLE taken (amount numeric PRIMARY KEY); INSERT INTO taken VALUES (1.0)`,
    `UPDATE reader SET email = 'Bob@X' WHERE email = 'bob@x'; UPDATE price SET amount = 1.00 WHERE amount = 1; INSERT INTO taken VALUES (3.0)`,
    "INSERT INTO taken VALUES (3.00)",
  );
  const { live, runId } = given;
  expect(short(await reapply({ live, folder: stand.folder, runId }))).toEqual(["insert taken 3.0: constraint violated"]);
  expect(await cells(live, "SELECT * FROM reader ORDER BY email")).toEqual(["ann@x Ann", "Bob@X Bob"]);
  expect(await cells(live, "SELECT * FROM price ORDER BY amount")).toEqual(["1.00 one", "2 two"]);
  const again = await reapply({ live, folder: stand.folder, runId });
  expect(again.tables).toMatchObject({ reader: { unchanged: 2 }, price: { unchanged: 2 }, taken: { conflicts: 1 } });
});

test("a key that the server computes, numbers that only the server gives, and a table without columns", async () => {
  const found = await scene(
    `CREATE TABLE g (a int NOT NULL, k int GENERATED ALWAYS AS (a * 10) STORED PRIMARY KEY, t text); INSERT INTO g (a, t) VALUES (1, 'one'), (2, 'two'), (3, 'three');
     CREATE TABLE i (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY UNIQUE); INSERT INTO i VALUES (1), (2); CREATE TABLE z ()`,
    "INSERT INTO g (a, t) VALUES (4, 'four'); UPDATE g SET t = 'zwei' WHERE a = 2; DELETE FROM g WHERE a = 1; UPDATE i SET n = DEFAULT WHERE id = 1; INSERT INTO i VALUES (3); INSERT INTO z DEFAULT VALUES",
  );
  const { live, current, runId } = found;
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(conflictsOf(result)).toEqual([]);
  expect(result.tables).toMatchObject({ g: { inserted: 1, updated: 1, deleted: 1 }, i: { inserted: 1, updated: 1 } });
  expect(result.notHeld.tables).toEqual({ z: 1 });
  const look = "SELECT * FROM g FULL JOIN i ON false ORDER BY 1, 4";
  expect(await cells(live, look)).toEqual(await cells(current, look));
  expect(await cells(live, "SELECT attidentity::text FROM pg_attribute WHERE attrelid = 'i'::regclass AND attname = 'n'")).toEqual(["a"]);
});

test("sequences go on where they were: those of no column, and where the row of the last number is gone; one that begins anew does not", async () => {
  const given = await scene(
    `CREATE TABLE bill (id serial PRIMARY KEY, number int); CREATE SCHEMA "Odd.One"; CREATE SEQUENCE "Odd.One"."No"; CREATE SEQUENCE down INCREMENT -1;
     CREATE SEQUENCE still START 50; CREATE SEQUENCE ring MAXVALUE 5 CYCLE; CREATE SEQUENCE low START 50 MINVALUE -10; SELECT nextval('ring'); SELECT nextval('still')`,
    `INSERT INTO bill (number) SELECT nextval('"Odd.One"."No"') FROM generate_series(1, 7); DELETE FROM bill WHERE id = 7; SELECT nextval('down'), nextval('ring'); SELECT nextval('down');
     SELECT setval('low', -3); CREATE SEQUENCE newer; SELECT nextval('newer')`,
  );
  const { live } = given;
  expect((await exact(given)).sequences).toEqual([
    { sequence: '"Odd.One"."No"', value: "7" },
    { sequence: "public.bill_id_seq", value: "7" },
    { sequence: "public.down", value: "-2" },
  ]);
  const next =
    "SELECT nextval('\"Odd.One\".\"No\"') AS a, nextval('bill_id_seq') AS b, nextval('down') AS c, nextval('still') AS d, nextval('ring') AS e, nextval('low') AS f";
  expect(await cells(live, next)).toEqual(["8 8 -3 51 2 50"]);
  expect((await reapply({ live, folder: stand.folder, runId: given.runId })).sequences).toEqual([]);
});

test("what the older schema has no column for is told, and what the newer one had none for; a row takes the rest", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE person (id int PRIMARY KEY, name text, age int); INSERT INTO person VALUES (1, 'Ann', 1), (2, 'Ben', 2)",
    "ALTER TABLE person DROP name, ADD full_name text; INSERT INTO person VALUES (3, 3, 'Cy'); UPDATE person SET age = 9 WHERE id = 1",
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(result.notHeld).toEqual({ tables: {}, columns: { person: ["full_name"] }, defaulted: { person: ["name"] } });
  expect(await cells(live, "SELECT id, name, age FROM person ORDER BY id")).toEqual(["1 Ann 9", "2 Ben 2", "3  3"]);
});

test("rows of a table that the newer schema dropped, or calls otherwise, stay as they were restored", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE gone (id int PRIMARY KEY); CREATE TABLE old (id int PRIMARY KEY); INSERT INTO gone VALUES (1), (2); INSERT INTO old VALUES (1)",
    "DROP TABLE gone; ALTER TABLE old RENAME TO newer; INSERT INTO newer VALUES (2)",
  );
  const { tables, notHeld } = await reapply({ live, folder: stand.folder, runId });
  expect({ tables, notHeld }).toEqual({ tables: {}, notHeld: { tables: { newer: 2 }, columns: {}, dropped: { gone: 2, old: 1 } } });
  expect(await cells(live, "SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM old) AS old")).toEqual(["2 1"]);
});

test("what nobody can foresee is found out by trying, and what rests on it is left out, too", async () => {
  const { live, runId } = await scene(
    `CREATE TABLE room (id int PRIMARY KEY, during int4range); CREATE TABLE guest (id int PRIMARY KEY, room int REFERENCES room);
     CREATE TABLE part (id int) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
     CREATE TYPE mood AS ENUM ('good'); CREATE TABLE feels (id int PRIMARY KEY, mood mood); INSERT INTO room VALUES (1, '[1,5)'), (2, '[5,9)')`,
    `INSERT INTO room VALUES (3, '[20,30)'), (4, '[40,50)'), (5, '[60,70)'); INSERT INTO guest VALUES (1, 3), (2, 4), (3, 5); UPDATE room SET during = '[5,9)' WHERE id = 1; UPDATE room SET during = '[1,5)' WHERE id = 2;
     CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2); INSERT INTO part VALUES (1), (2); ALTER TYPE mood RENAME TO mood_was; CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TABLE feels ALTER mood TYPE mood USING mood::text::mood; INSERT INTO feels VALUES (1, 'good'), (2, 'bad')`,
    "ALTER TABLE room ADD EXCLUDE USING gist (during WITH &&); INSERT INTO room VALUES (9, '[41,42)')",
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(short(result)).toEqual([
    "insert feels 2: value not held",
    "insert guest 2: missing parent",
    "insert part 2: constraint violated",
    "insert room 4: constraint violated",
  ]);
  expect(await cells(live, "SELECT id, during FROM room ORDER BY id")).toEqual([
    "1 [5,9)",
    "2 [1,5)",
    "3 [20,30)",
    "5 [60,70)",
    "9 [41,42)",
  ]);
  expect(await cells(live, "SELECT id FROM part")).toEqual(["1"]);
});

test("rows of a table without a key are put right with as many statements for many rows as for few", async () => {
  const sent: number[] = [];
  for (const rows of [100, 23_000]) {
    const found = await scene(
      "CREATE TABLE m (a int, b text); INSERT INTO m VALUES (1, 'x'), (1, 'x'), (3, 'y')",
      `DELETE FROM m WHERE a = 3; INSERT INTO m SELECT i % 7000, 'x' FROM generate_series(1, ${rows}) i`,
    );
    sent.push(await statements(found.live, () => reapply({ live: found.live, folder: stand.folder, runId: found.runId })));
    expect((await exact(found)).tables["m"]).toMatchObject({ ...EQUAL, unchanged: rows + 1 });
  }
  // Rows travel a thousand at a time, and for many the server is told to join them at once.
  expect(sent[1]! - sent[0]!).toBeLessThanOrEqual(24);
});

test("a row that points at a large object which is not there is left out and told; one whose object is there comes back", async () => {
  const { live, runId } = await scene(
    "CREATE TABLE docs (id int PRIMARY KEY, name text, lo oid); INSERT INTO docs VALUES (1, 'a', lo_from_bytea(70001, 'x')), (2, 'b', 70009)",
    "INSERT INTO docs VALUES (3, 'c', lo_from_bytea(70002, 'y')), (4, 'd', 70001), (5, 'e', NULL), (6, 'f', 'pg_class'::regclass); UPDATE docs SET name = 'B' WHERE id = 2; UPDATE docs SET lo = 70002 WHERE id = 1; CREATE TABLE newer (); INSERT INTO docs VALUES (7, 'g', 'newer'::regclass), (8, 'h', 70009)",
  );
  const result = await reapply({ live, folder: stand.folder, runId });
  expect(short(result)).toEqual(["insert docs 3: missing parent", "update docs 1: missing parent"]);
  expect(conflictsOf(result)[0]!.detail).toMatch(/there is no large object 70002/);
  expect(await cells(live, "SELECT id, name FROM docs ORDER BY id")).toEqual(["1 a", "2 B", "4 d", "5 e", "6 f", "7 g", "8 h"]);
});

test("large objects that were all deleted since are told as not put back: they are no table that was dropped", async () => {
  const { live, runId } = await scene("SELECT lo_from_bytea(70001, 'x')", "SELECT lo_unlink(70001)");
  expect((await reapply({ live, folder: stand.folder, runId })).notHeld).toEqual({ tables: { [LARGE_OBJECTS]: 1 }, columns: {} });
});
