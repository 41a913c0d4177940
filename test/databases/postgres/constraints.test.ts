/** Constraints of a real server taken away and brought back: every kind, the rows that stand in the way, and where they go. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type pg from "pg";
import { connect } from "../../../databases/postgres/connection.ts";
import {
  ConstraintViolatedError,
  dropConstraint,
  NotDroppedError,
  enforceConstraint,
  unvalidateConstraint,
} from "../../../databases/postgres/constraint-change.ts";
import { quarantineRows } from "../../../databases/postgres/constraint-quarantine.ts";
import { addStatements, dependents, findConstraint, saveConstraint } from "../../../databases/postgres/constraints.ts";
import { type SavedConstraint, type ResultRecorder as Recorder } from "../../../databases/shared/constraints.ts";
import { findViolations, violationCondition } from "../../../databases/postgres/constraint-violations.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
let client: pg.Client;
let number = 0;
const written: string[] = [];
const record: Recorder = async (result, notes) => Promise.resolve(void written.push(`${result}: ${notes}`));

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());
beforeEach(async () => {
  await client?.end();
  written.length = 0;
  client = await connect(server.endpoint, await server.database(`constraints_${++number}`));
  await client.query(`
    CREATE TYPE stage AS ENUM ('made', 'sold');
    CREATE FUNCTION is_round(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n % 10 = 0';
    CREATE FUNCTION refuse_thirteen() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.size = 13 THEN RAISE EXCEPTION 'thirteen' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$;
    CREATE TABLE boxes (id int CONSTRAINT boxes_key PRIMARY KEY, label text CONSTRAINT labels UNIQUE, size int, price int CONSTRAINT round_price CHECK (is_round(price)),
      stage stage CONSTRAINT stages CHECK (stage IN ('made', 'sold')));
    CREATE TABLE things (id int PRIMARY KEY, box int CONSTRAINT in_box REFERENCES boxes ON DELETE CASCADE);
    CREATE TABLE parts (id int PRIMARY KEY, thing int REFERENCES things);
    CREATE CONSTRAINT TRIGGER no_thirteen AFTER INSERT OR UPDATE ON boxes FOR EACH ROW EXECUTE FUNCTION refuse_thirteen();
    INSERT INTO boxes SELECT i, 'box ' || i, i, i * 10, 'made' FROM generate_series(1, 20) i WHERE i <> 13;
    INSERT INTO things SELECT i, i FROM generate_series(1, 5) i;
    INSERT INTO parts SELECT i, i FROM generate_series(1, 5) i;`);
});
afterAll(() => client.end());

const saved = async (table: string, name: string): Promise<SavedConstraint> =>
  saveConstraint(client, (await findConstraint(client, table, name))!);
const stateOf = async (table: string, name: string) => {
  const found = await findConstraint(client, table, name);
  return found === null ? "absent" : `${found.enforced ? "" : "not enforced "}${found.validated ? "validated" : "not validated"}`;
};
const rows = async (sql: string): Promise<unknown[]> =>
  (await client.query<Record<string, unknown>>(sql)).rows.map((row) => Object.values(row)[0]);

describe.each([
  { table: "boxes", name: "round_price", violating: "INSERT INTO boxes VALUES (100, 'x', 1, 7, 'made')", violates: undefined },
  { table: "boxes", name: "stages", violating: null, violates: undefined },
  { table: "things", name: "in_box", violating: "INSERT INTO things VALUES (100, 999)", violates: undefined },
  { table: "boxes", name: "labels", violating: "INSERT INTO boxes VALUES (100, 'box 1', 1, 10, 'made')", violates: undefined },
  { table: "boxes", name: "no_thirteen", violating: "INSERT INTO boxes VALUES (100, 'x', 13, 10, 'made')", violates: "r.size = 13" },
])("$name", ({ table, name, violating, violates }) => {
  const subject = { table, name, ...(violates === undefined ? {} : { violates }) };

  test("dropped, and brought back as it was: a violating row is refused, accepted, refused again", async () => {
    const before = await findConstraint(client, table, name);
    const definition = await saved(table, name);
    if (violating !== null) await expect(client.query(violating)).rejects.toMatchObject({ code: /^23/ });
    expect(await dropConstraint(client, subject, record)).toBe("dropped");
    expect(await dropConstraint(client, subject, record)).toBe("already");
    expect(await stateOf(table, name)).toBe("absent");
    if (violating !== null) {
      await client.query(violating);
      const attempt = enforceConstraint(client, subject, { saved: definition, validate: true }, record);
      await expect(attempt).rejects.toThrow(ConstraintViolatedError);
      await expect(attempt).rejects.toThrow(`${name} cannot be enforced: ${table} has 1 row: {"id": 100} that violate it`);
      expect(await stateOf(table, name)).toBe("absent");
      await client.query(`DELETE FROM ${table} WHERE id = 100`);
    }
    expect(await enforceConstraint(client, subject, { saved: definition, validate: true }, record)).toBe("added");
    expect(await enforceConstraint(client, subject, { saved: definition, validate: true }, record)).toBe("already");
    if (violating !== null) await expect(client.query(violating)).rejects.toMatchObject({ code: /^23/ });
    const after = await findConstraint(client, table, name);
    expect({ ...after, oid: null }).toEqual({ ...before, oid: null });
    expect(await saved(table, name)).toEqual(definition);
    expect(written).toEqual(["PASS: dropped", ...(violating === null ? [] : ['FAIL: violated by 1 row: {"id": 100}']), "PASS: recovered"]);
  });
});

test("a function and an enumeration the rule uses are made again where they are gone", async () => {
  const [price, stages] = [await saved("boxes", "round_price"), await saved("boxes", "stages")];
  expect(price.functions.map(({ signature }) => signature)).toEqual(["is_round(integer)"]);
  expect(stages.enums).toEqual([{ name: "stage", labels: ["made", "sold"] }]);
  await dropConstraint(client, { table: "boxes", name: "round_price" }, record);
  await client.query("DROP FUNCTION is_round(int)");
  expect(await enforceConstraint(client, { table: "boxes", name: "round_price" }, { saved: price, validate: true }, record)).toBe("added");
});

test("a trigger somebody disabled is no rule; it is made again", async () => {
  const definition = await saved("boxes", "no_thirteen");
  await client.query("ALTER TABLE boxes DISABLE TRIGGER no_thirteen");
  expect(await stateOf("boxes", "no_thirteen")).toBe("not enforced validated");
  const subject = { table: "boxes", name: "no_thirteen", violates: "r.size = 13" };
  expect(await enforceConstraint(client, subject, { saved: definition, validate: true }, record)).toBe("added");
  await expect(client.query("INSERT INTO boxes VALUES (100, 'x', 13, 10, 'made')")).rejects.toThrow("thirteen");
});

test("enforced → for new rows only → enforced again; UNIQUE is made over an index and leaves nothing invalid behind", async () => {
  const subject = { table: "boxes", name: "round_price" };
  const definition = await saved("boxes", "round_price");
  expect(await unvalidateConstraint(client, subject, definition)).toBe("loosened");
  expect(await unvalidateConstraint(client, subject, definition)).toBe("already");
  expect(await stateOf("boxes", "round_price")).toBe("not validated");
  await expect(client.query("INSERT INTO boxes VALUES (100, 'x', 1, 7, 'made')")).rejects.toMatchObject({ constraint: "round_price" });
  expect(await enforceConstraint(client, subject, { saved: definition, validate: true }, record)).toBe("validated");
  expect(await stateOf("boxes", "round_price")).toBe("validated");
  const labels = await saved("boxes", "labels");
  await dropConstraint(client, { table: "boxes", name: "labels" }, record);
  // As a killed attempt leaves it.
  await client.query("CREATE INDEX labels ON boxes (size)");
  expect(await enforceConstraint(client, { table: "boxes", name: "labels" }, { saved: labels, validate: true }, record)).toBe("added");
  expect(await rows("SELECT pg_get_indexdef('labels'::regclass)")).toEqual([
    "CREATE UNIQUE INDEX labels ON public.boxes USING btree (label)",
  ]);
});

test("what was said of a rule, when it fires, and a key of a partitioned table come back with it; what could not come back is not dropped", async () => {
  await client.query(`
    COMMENT ON CONSTRAINT round_price ON boxes IS 'it''s so'; COMMENT ON CONSTRAINT labels ON boxes IS 'one each'; COMMENT ON TRIGGER no_thirteen ON boxes IS 'bad luck';
    ALTER TABLE boxes ENABLE ALWAYS TRIGGER no_thirteen;
    CREATE TABLE visits (id int, day int, n int, CONSTRAINT visit PRIMARY KEY (id, day), CONSTRAINT once UNIQUE (n, day) DEFERRABLE) PARTITION BY RANGE (day);
    CREATE TABLE early PARTITION OF visits FOR VALUES FROM (0) TO (10); CREATE TABLE late PARTITION OF visits DEFAULT; INSERT INTO visits VALUES (1, 1, 1), (2, 20, 1);
    CREATE TABLE spans (span int4range, CONSTRAINT apart EXCLUDE USING gist (span WITH &&))`);
  const facts = (table: string, name: string) =>
    rows(`SELECT json_build_array(c.contype, c.convalidated, c.condeferrable, pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'), t.tgenabled, obj_description(t.oid, 'pg_trigger'))::text
            FROM pg_constraint c LEFT JOIN pg_trigger t ON c.contype = 't' AND t.tgconstraint = c.oid WHERE c.conrelid = '${table}'::regclass AND c.conname = '${name}'`);
  for (const [table, name, violates] of [
    ["boxes", "round_price"],
    ["boxes", "labels"],
    ["boxes", "no_thirteen", "r.size = 13"],
    ["visits", "visit"],
    ["visits", "once"],
  ] as const) {
    const [before, definition] = [await facts(table, name), await saved(table, name)];
    expect(await dropConstraint(client, { table, name }, record)).toBe("dropped");
    expect(await facts(table, name)).toEqual([]);
    const subject = { table, name, ...(violates !== undefined && { violates }) };
    expect(await enforceConstraint(client, subject, { saved: definition, validate: true }, record)).toBe("added");
    expect(await facts(table, name)).toEqual(before);
  }
  await expect(dropConstraint(client, { table: "spans", name: "apart" }, record)).rejects.toThrow(NotDroppedError);
  expect(await facts("spans", "apart")).toHaveLength(1);
});

test("rows that violate go to a side table with everything that refers to them, and come back by what the table says of itself", async () => {
  const definition = await saved("boxes", "round_price");
  await dropConstraint(client, { table: "boxes", name: "round_price" }, record);
  await client.query("UPDATE boxes SET price = price + 1 WHERE id IN (2, 3, 15)");
  const condition = violationCondition("boxes", "round_price", definition);
  expect(await findViolations(client, "boxes", condition)).toEqual({ count: 3, rows: ['{"id": 2}', '{"id": 3}', '{"id": 15}'] });
  const moveAway = async (where: string): Promise<void> => void (await quarantineRows(client, "boxes", where, 7, "a test"));
  expect(
    await enforceConstraint(client, { table: "boxes", name: "round_price" }, { saved: definition, validate: true, moveAway }, record),
  ).toBe("added");
  expect(await rows("SELECT id FROM boxes_quarantine_7 ORDER BY 1")).toEqual([2, 3, 15]);
  // ON DELETE CASCADE would have thrown them away.
  expect(await rows("SELECT id FROM things_quarantine_7 ORDER BY 1")).toEqual([2, 3]);
  expect(await rows("SELECT id FROM parts_quarantine_7 ORDER BY 1")).toEqual([2, 3]);
  expect(await rows("SELECT count(*)::int FROM boxes")).toEqual([16]);
  expect(await quarantineRows(client, "boxes", condition, 7, "a test")).toEqual([]);
  await client.query("UPDATE boxes_quarantine_7 SET price = price - 1");
  for (const table of ["boxes", "things", "parts"]) {
    const [comment] = (await rows(`SELECT obj_description('${table}_quarantine_7'::regclass)`)) as [string];
    await client.query(/put them back with: (.*)$/.exec(comment)![1]!);
  }
  expect(await rows("SELECT count(*)::int FROM boxes WHERE is_round(price)")).toEqual([19]);
  expect(await rows("SELECT count(*)::int FROM parts")).toEqual([5]);
});

test("what cannot be set aside as a whole is not set aside at all", async () => {
  await client.query("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$");
  await client.query("CREATE TRIGGER keep BEFORE DELETE ON boxes FOR EACH ROW EXECUTE FUNCTION keep()");
  await expect(quarantineRows(client, "boxes", "r.id = 9", 8, "a test")).rejects.toThrow("1 rows of boxes were copied and 0 deleted");
  expect(await rows("SELECT to_regclass('boxes_quarantine_8')")).toEqual([null]);
});

test("a row is known by its table and its place: children keep their rows and columns, partitions theirs, and each row says what it violates", async () => {
  await client.query(`
    CREATE TABLE ip (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED NOT NULL); CREATE TABLE ic (extra text, PRIMARY KEY (id)) INHERITS (ip);
    INSERT INTO ip VALUES (1, -1); INSERT INTO ic (id, a, extra) VALUES (11, 5, 'only copy'), (12, -5, 'its own');
    CREATE TABLE day (id int, day int, up int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); CREATE TABLE day_1 PARTITION OF day FOR VALUES FROM (0) TO (10);
    CREATE TABLE day_2 (day int NOT NULL, up int, id int NOT NULL); ALTER TABLE day ATTACH PARTITION day_2 FOR VALUES FROM (10) TO (20);
    CREATE TABLE seen (id int PRIMARY KEY, day_id int, day int, FOREIGN KEY (day_id, day) REFERENCES day ON DELETE SET NULL);
    INSERT INTO day VALUES (1, 1, 1), (2, 2, -1), (1, 11, 5), (2, 12, 5), (3, 13, -1); INSERT INTO seen VALUES (1, 1, 1), (2, 3, 13)`);
  const rule = { kind: "check" as const, definition: "CHECK ((a > 0))" };
  expect(await quarantineRows(client, "ip", violationCondition("ip", "positive", rule), 9, "violates positive")).toEqual([
    { table: "ic", into: "ic_quarantine_9", rows: 1 },
    { table: "ip", into: "ip_quarantine_9", rows: 1 },
  ]);
  expect(await rows("SELECT id || ' ' || extra FROM ic")).toEqual(["11 only copy"]);
  expect(await rows("SELECT id FROM ONLY ip")).toEqual([]);
  expect(await rows("SELECT id || ' ' || a || ' ' || twice || ' ' || extra || ': ' || backout_why FROM ic_quarantine_9")).toEqual([
    "12 -5 -10 its own: violates positive",
  ]);
  expect(await quarantineRows(client, "day", "r.up < 0", 9, "violates up")).toEqual([
    { table: "day", into: "day_quarantine_9", rows: 2 },
    { table: "seen", into: "seen_quarantine_9", rows: 1 },
  ]);
  expect(await rows("SELECT id || '/' || day FROM day ORDER BY day")).toEqual(["1/1", "1/11", "2/12"]);
  expect(await rows("SELECT id || ' ' || backout_why FROM seen_quarantine_9")).toEqual(["2 refers to a row of day that violates up"]);
  // Another rule, in the same recovery: the same side table, each row with its own reason.
  await quarantineRows(client, "day", "r.day = 12", 9, "violates no_twelve");
  expect(await rows("SELECT backout_why FROM day_quarantine_9 ORDER BY day")).toEqual(["violates up", "violates no_twelve", "violates up"]);
  for (const table of ["ip", "ic", "day", "seen"]) {
    const [comment] = (await rows(`SELECT obj_description('${table}_quarantine_9'::regclass)`)) as [string];
    await client.query(/put them back with: (.*)$/.exec(comment)![1]!);
  }
  expect(await rows("SELECT tableoid::regclass || ' ' || id FROM ip ORDER BY id")).toEqual(["ip 1", "ic 11", "ic 12"]);
  expect(await rows("SELECT extra FROM ic ORDER BY id")).toEqual(["only copy", "its own"]);
  expect(await rows("SELECT tableoid::regclass || ' ' || id || '/' || day FROM day ORDER BY day")).toEqual([
    "day_1 1/1",
    "day_1 2/2",
    "day_2 1/11",
    "day_2 2/12",
    "day_2 3/13",
  ]);
});

test("a key is one table's own: rows of children violate none of their parent's; equal rows in two partitions are told apart", async () => {
  await client.query(`
    CREATE TABLE k (id int, p int); CREATE TABLE kc () INHERITS (k); INSERT INTO k VALUES (1, 1), (1, 2); INSERT INTO kc VALUES (1, 1), (9, 9);
    CREATE TABLE pk (id int PRIMARY KEY); CREATE TABLE pkc () INHERITS (pk); INSERT INTO pk VALUES (1); INSERT INTO pkc VALUES (2);
    CREATE TABLE pt (id int, d int) PARTITION BY LIST (d); CREATE TABLE pt_1 PARTITION OF pt FOR VALUES IN (1); CREATE TABLE pt_2 PARTITION OF pt FOR VALUES IN (2);
    INSERT INTO pt VALUES (1, 1), (1, 2), (2, 2)`);
  const count = async (table: string, kind: "unique" | "foreign-key", definition: string): Promise<number> =>
    (await findViolations(client, table, violationCondition(table, "x", { kind, definition }))).count;
  expect(await count("k", "unique", "UNIQUE (id)")).toBe(1);
  expect(await count("k", "foreign-key", "FOREIGN KEY (p) REFERENCES pk(id)")).toBe(1);
  expect(await count("pt", "unique", "UNIQUE (id)")).toBe(1);
});

test("what rests on a key is named; a definition that cannot be made again is refused", async () => {
  expect(await dependents(client, "boxes", "boxes_key")).toEqual(["things.in_box"]);
  expect(await dependents(client, "boxes", "round_price")).toEqual([]);
  expect(() => addStatements("t", "x", { kind: "unique", definition: "EXCLUDE USING gist (a WITH &&)" })).toThrow(/by hand/);
  expect(() => violationCondition("t", "x", { kind: "trigger", definition: "CREATE CONSTRAINT TRIGGER x" })).toThrow(
    /give the constraint a `violates`/,
  );
});

test("names with spaces, commas, dots, quotes and brackets in them: rows that violate a rule are found", async () => {
  await client.query(`
    CREATE SCHEMA "Old, stock"; CREATE TABLE "Old, stock"."box ""1"".a" ("id, a" int, "n (b)" int, CONSTRAINT k PRIMARY KEY ("id, a", "n (b)"));
    CREATE TABLE "Lot s" (id int PRIMARY KEY, "of, a" int, "of (b)" int,
      CONSTRAINT f FOREIGN KEY ("of, a", "of (b)") REFERENCES "Old, stock"."box ""1"".a" ("id, a", "n (b)"), CONSTRAINT u UNIQUE ("of, a", "of (b)"));
    INSERT INTO "Old, stock"."box ""1"".a" VALUES (1, 1); INSERT INTO "Lot s" VALUES (1, 1, 1)`);
  const rules = await Promise.all(["f", "u"].map(async (name) => violationCondition("Lot s", name, await saved("Lot s", name))));
  await client.query(`ALTER TABLE "Lot s" DROP CONSTRAINT f, DROP CONSTRAINT u; INSERT INTO "Lot s" VALUES (2, 1, 2), (3, 1, 1)`);
  const found = [];
  for (const rule of rules) found.push((await findViolations(client, "Lot s", rule)).rows);
  expect(found).toEqual([['{"id": 2}'], ['{"id": 3}']]);
});
