import { afterAll, beforeAll, expect, test } from "vitest";
import { compareEverything } from "../../../databases/postgres/comparison.ts";
import { LARGE_OBJECTS } from "../../../databases/shared/not-compared.ts";
import { ownServer, type OwnServer } from "./own-server.ts";

let server: OwnServer;

beforeAll(async () => {
  server = await ownServer();
}, 120_000);

afterAll(() => server.remove());

test("large objects are compared in pieces; sequences that no table tells of are named with both values", async () => {
  const base = await server.create("beyond");
  await base.query(`SELECT lo_from_bytea(901, convert_to(repeat('x', 100000), 'UTF8')), lo_from_bytea(902, ''); CREATE SEQUENCE invoice; CREATE TABLE t (id serial);
    CREATE UNLOGGED TABLE u (id int PRIMARY KEY); CREATE TABLE nothing ()`);
  await base.end();
  const current = await server.create("beyond_now", "beyond");
  await current.query(`SELECT lo_put(901, 70000, 'y'), lo_from_bytea(903, 'z'), lo_unlink(902), nextval('invoice'); INSERT INTO t DEFAULT VALUES; INSERT INTO u VALUES (1);
    INSERT INTO nothing DEFAULT VALUES`);
  const { tables, notCompared, sequences } = await compareEverything(await server.open("beyond"), current);
  expect(tables).toMatchObject({
    [LARGE_OBJECTS]: { inserted: 1, updated: 1, deleted: 1 },
    t: { inserted: 1 },
    u: { inserted: 1 },
    nothing: { inserted: 1 },
  });
  expect(notCompared).toMatchObject([{ name: "invoice", kind: "sequence", mayBeLost: true }]);
  expect(Object.keys(sequences).sort()).toEqual(["invoice", "t_id_seq"]);
});

test("schemas that a restore does not reach are named, and their tables are not compared", async () => {
  const base = await server.create("beside");
  await base.end();
  const current = await server.create("beside_now", "beside");
  await current.query("CREATE SCHEMA auth; CREATE TABLE auth.users (id int); INSERT INTO auth.users VALUES (1); CREATE TABLE own (id int)");
  const { tables, notCompared } = await compareEverything(await server.open("beside"), current, ["auth"]);
  expect(Object.keys(tables)).toEqual(["own"]);
  expect(notCompared).toMatchObject([{ name: "auth", kind: "schema", mayBeLost: false }]);
});
