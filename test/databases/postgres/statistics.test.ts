import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../../databases/postgres/connection.ts";
import { ensureServer } from "../../../databases/postgres/server.ts";
import { CountersLostError, estimateChanges, quickStatistics, type Statistics } from "../../../databases/postgres/statistics.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 60_000);
afterAll(() => server.remove());

async function within(database: string, statement: string): Promise<void> {
  const client = await connect(server.endpoint, database);
  await client.query(statement);
  await client.end();
}

async function read(database: string): Promise<Statistics> {
  const client = await connect(server.endpoint, database);
  try {
    return await quickStatistics(client, database);
  } finally {
    await client.end();
  }
}

/** Counters arrive when the writing session has gone, which takes it a moment. */
async function untilRead(database: string, arrived: (statistics: Statistics) => boolean): Promise<Statistics> {
  for (;;) {
    const statistics = await read(database);
    if (arrived(statistics)) return statistics;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it(
  "counts partitions as their root, and knows nothing of tables that were emptied, written anew or lost a partition",
  { timeout: 60_000 },
  async () => {
    await server.database("parts");
    await within(
      "parts",
      `CREATE TABLE emptied AS SELECT generate_series(1, 25000) AS id; CREATE TABLE retyped (id int); INSERT INTO retyped VALUES (1);
     CREATE TABLE sale (at int) PARTITION BY RANGE (at); CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (0) TO (10); CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM (10) TO (20);
     CREATE TABLE lost (at int) PARTITION BY LIST (at); CREATE TABLE lost_1 PARTITION OF lost FOR VALUES IN (1); CREATE TABLE last (id int); INSERT INTO last VALUES (1)`,
    );
    const before = await untilRead("parts", ({ tables }) => tables["last"]?.inserted === 1);
    await within(
      "parts",
      `TRUNCATE emptied; ALTER TABLE retyped ALTER id TYPE bigint; CREATE TABLE sale_3 PARTITION OF sale FOR VALUES FROM (20) TO (30);
     INSERT INTO sale VALUES (1), (11), (21); INSERT INTO lost VALUES (1); DROP TABLE lost_1; SELECT lo_from_bytea(0, 'x'); INSERT INTO last VALUES (2)`,
    );
    const after = await untilRead("parts", ({ tables }) => tables["last"]?.inserted === 2);
    const { tables, unknown } = estimateChanges(before, after);
    expect(tables).toEqual({
      "pg_catalog.pg_largeobject": { inserted: 1, updated: 0, deleted: 0 },
      last: { inserted: 1, updated: 0, deleted: 0 },
      sale: { inserted: 3, updated: 0, deleted: 0 },
    });
    expect(unknown).toMatchObject({
      emptied: expect.stringMatching(/emptied/) as string,
      retyped: expect.stringMatching(/anew/) as string,
      lost: "its partition lost_1 was dropped",
    });
  },
);

describe("a real server's counters", () => {
  it("say what changed, and that nothing can be said after a crash or a reset", { timeout: 60_000 }, async () => {
    await server.database("counted");
    await within("counted", "CREATE TABLE t (id int); CREATE TABLE gone (id int); INSERT INTO t SELECT generate_series(1, 10)");
    const before = await untilRead("counted", ({ tables }) => tables["t"]?.inserted === 10);
    await within(
      "counted",
      "INSERT INTO t SELECT generate_series(11, 15); UPDATE t SET id = id WHERE id < 4; DELETE FROM t WHERE id = 1; DROP TABLE gone; CREATE TABLE made (id int); INSERT INTO made VALUES (1)",
    );
    const after = await untilRead("counted", ({ tables }) => tables["made"]?.inserted === 1);
    expect(estimateChanges(before, after)).toMatchObject({
      tables: { t: { inserted: 5, updated: 3, deleted: 1 }, made: { inserted: 1, updated: 0, deleted: 0 } },
      unknown: { gone: "it was dropped" },
    });
    await within("counted", "SELECT pg_stat_reset()");
    const reset = await untilRead("counted", ({ statsReset }) => statsReset !== after.statsReset);
    expect(() => estimateChanges(after, reset)).toThrow(/reset/);

    process.kill((await ensureServer({ home: server.home, port: server.port, superuser: "backout" })).pid, "SIGKILL");
    await ensureServer({ home: server.home, port: server.port, superuser: "backout" });
    // As many rows again as were lost: the counters alone would not show it.
    await within("counted", "INSERT INTO t SELECT generate_series(1, 1000); UPDATE t SET id = id; DELETE FROM t");
    const afterCrash = await untilRead("counted", ({ tables }) => (tables["t"]?.deleted ?? 0) > 100);
    expect(() => estimateChanges(after, afterCrash)).toThrow(CountersLostError);
  });
});

describe("the estimate", () => {
  const changes = fc.record({ inserted: fc.nat(1e6), updated: fc.nat(1e6), deleted: fc.nat(1e6) });
  const statistics = fc.dictionary(fc.constantFrom("a", "b", "c"), changes).map((tables): Statistics => ({
    databaseOid: 1,
    statsReset: null,
    serverReset: "t",
    database: { inserted: 0, updated: 0, deleted: 0 },
    tables: Object.fromEntries(Object.entries(tables).map(([name, counters], oid) => [name, { oid, file: oid, ...counters }])),
  }));

  it("is the sum of what was added, never negative, and unknown when a counter went back", () => {
    fc.assert(
      fc.property(statistics, fc.array(changes, { minLength: 3, maxLength: 3 }), (before, added) => {
        const after = structuredClone(before);
        const names = Object.keys(before.tables);
        names.forEach((name, index) => {
          const [table, plus] = [after.tables[name]!, added[index]!];
          after.tables[name] = {
            ...table,
            inserted: table.inserted + plus.inserted,
            updated: table.updated + plus.updated,
            deleted: table.deleted + plus.deleted,
          };
        });
        const tables = Object.fromEntries(names.map((name, index) => [name, added[index]]));
        expect(estimateChanges(before, after)).toEqual({ tables, unknown: {} });
        const backwards = estimateChanges(after, before);
        names.forEach((name, index) => {
          const moved = Object.values(added[index]!).some((value) => value > 0);
          expect(backwards.tables[name]).toEqual(moved ? undefined : { inserted: 0, updated: 0, deleted: 0 });
          expect(name in backwards.unknown).toBe(moved);
        });
      }),
    );
  });

  it("is unknown across databases and resets", () => {
    fc.assert(
      fc.property(statistics, fc.constantFrom({ databaseOid: 2 }, { statsReset: "x" }, { serverReset: "y" }), (before, other) => {
        expect(() => estimateChanges(before, { ...before, ...other })).toThrow(CountersLostError);
      }),
    );
  });
});
