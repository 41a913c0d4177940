/** Snapshots that are taken while others write, and what is found in a database, on real engines. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import type { Run } from "../../../config/run.ts";
import type { Site } from "../../../config/site.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { createState } from "../../../databases/open-state.ts";
import { adoptionOf } from "../../../databases/registry.ts";
import { connect, withSession } from "../../../databases/postgres/connection.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import type { Manifest } from "../../../databases/postgres/manifest-shape.ts";
import { claimRecord } from "../../../state/identity.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "../postgres/drivers/debian-server.ts";
import { definitionIn } from "./postgres-stand.ts";
import { postgres } from "./whole.ts";

const missing = missingDebianServer();

describe.skipIf(missing !== null)("a PostgreSQL database that others write to", () => {
  let server: DebianServer;
  let folder: string;
  let definition: SystemDefinition;
  let run: Run;
  const live = "their shop";
  beforeAll(async () => {
    server = await startDebianServer();
    await withSession(server.endpoint, "postgres", (client) => client.query("CREATE ROLE shopapp LOGIN PASSWORD 'shopapp'"));
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "backout-adoption-"));
    definition = definitionIn(folder);
    const { host, port, user, password } = server.endpoint;
    const site: Site = {
      stack: "shop",
      system: "shop",
      module: null,
      project: folder,
      home: join(folder, "home"),
      target: "process",
      server: { embedded: false, host, port, user, password: password!, driver: "template", databases: { shop: live } },
      ports: {},
      files: {},
      adopt: true,
    };
    await withSession(server.endpoint, "postgres", (client) => client.query(`CREATE DATABASE ${quote(live)} OWNER shopapp`));
    await withSession(server.endpoint, live, (client) =>
      client.query(
        `GRANT CREATE ON SCHEMA public TO shopapp; CREATE SCHEMA "odd.schema" AUTHORIZATION shopapp; SET ROLE shopapp;
         CREATE TABLE orders (id bigserial PRIMARY KEY, note text); INSERT INTO orders (note) SELECT repeat('x', 200) FROM generate_series(1, 20000);
         CREATE SEQUENCE "odd.schema"."a ""quoted"" one"; CREATE SEQUENCE never;
         CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM orders`,
      ),
    );
    const state = await createState(site, definition);
    await claimRecord(state, site);
    run = { site, definition, state, epoch: 1, runId: "run-1", log: () => undefined };
  });
  afterEach(async () => {
    await run.state.end();
    await withSession(server.endpoint, "postgres", async (client) => {
      const { rows } = await client.query<{ name: string }>("SELECT datname AS name FROM pg_database WHERE datname LIKE 'their shop%'");
      for (const { name } of rows) await client.query(`DROP DATABASE ${quote(name)} WITH (FORCE)`);
    });
    rmSync(folder, { recursive: true, force: true });
  });

  test("is copied as it was at one moment, sequences as the copy has them, and the copy is verified row by row", async () => {
    const { host, port } = server.endpoint;
    const client = new pg.Client({ host, port, user: "shopapp", password: "shopapp", database: live });
    await client.connect();
    let writes = 0;
    let stopped = false;
    const writing = (async () => {
      while (!stopped) {
        await client.query(`INSERT INTO orders (note) VALUES ('since'); SELECT nextval('"odd.schema"."a ""quoted"" one"')`);
        await client.query("UPDATE orders SET note = note || '.' WHERE id = 1 + $1::int", [writes % 100]);
        writes++;
      }
    })();
    const adoption = await adoptionOf(run, "shop");
    const snapshot = await run.state.beginSnapshot(
      { database: "shop", name: "adopted", driver: adoption.snapshotDriver(run), epoch: 1, release: "v1", automatic: false },
      (generation) => adoption.snapshotLocation(run, "shop", "adopted", generation),
    );
    const taken = await adoption.takeSnapshot(run, snapshot, false);
    const during = writes;
    stopped = true;
    await writing;
    await client.end();
    expect(during).toBeGreaterThan(0);
    await run.state.finishSnapshot(snapshot.id, { ...taken, baseline: null });
    const [ready] = await run.state.readySnapshots();
    // It fails where one row, or one value of a sequence, is another than what was recorded.
    const copy = await postgres.makeStandby(run, ready!);
    expect(copy.verified).not.toBeNull();
    const { sequences } = ready!.manifest as unknown as Manifest;
    expect(sequences).toMatchObject({ never: null });
    expect(Number(sequences["orders_id_seq"])).toBeGreaterThanOrEqual(20_000);
    expect(Object.keys(sequences)).toHaveLength(3);
    // Nobody was kept out, and nothing was closed.
    await (await connect(server.endpoint, live)).end();
  });

  test("what is entered in its ledger is taken back, and a ledger that says more stays", async () => {
    const adoption = await adoptionOf(run, "shop");
    const known: SystemDefinition = {
      ...definition,
      folder: join(import.meta.dirname, "..", "..", "e2e", "adopt-shop"),
      databases: {
        shop: {
          ...definition.databases["shop"]!,
          migrations: [
            { name: "1_orders", path: "migrations/1_orders" },
            { name: "2_notes", path: "migrations/2_notes" },
          ],
        },
      },
    };
    const at = { ...run, definition: known };
    const ledger = () =>
      withSession(server.endpoint, live, async (client) => {
        const { rows } = await client.query<{ there: boolean; owner: string }>(
          "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there, (SELECT tableowner FROM pg_tables WHERE tablename = '_prisma_migrations') AS owner",
        );
        return rows[0]!;
      });
    expect(await adoption.enterMigrations(at, "shop", ["1_orders"])).toEqual(["1_orders"]);
    expect(await adoption.enterMigrations(at, "shop", ["1_orders"])).toEqual([]);
    expect(await ledger()).toEqual({ there: true, owner: "shopapp" });
    expect((await postgres.facts(at, "shop")).applied).toEqual(["1_orders"]);
    await expect(adoption.enterMigrations(at, "shop", ["1_orders", "2_notes"])).rejects.toThrow(
      "the ledger records 1 migration(s) already",
    );
    await adoption.removeMigrations(at, "shop", ["2_notes"]);
    expect((await ledger()).there).toBe(true);
    await adoption.removeMigrations(at, "shop", ["1_orders"]);
    expect((await ledger()).there).toBe(false);
  });

  test("is told with what a driver cannot do there: slots, foreign tables, schemas and owners that the services' role does not reach", async () => {
    await withSession(server.endpoint, live, (client) =>
      client.query(
        `CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
         CREATE TABLE "odd.schema".other (id int); CREATE TABLE admins_own (id int); CREATE TABLE second (id int); ALTER TABLE second OWNER TO shopapp; CREATE PUBLICATION told FOR TABLE orders;
         ALTER TABLE orders ENABLE ROW LEVEL SECURITY`,
      ),
    );
    const found = await (await adoptionOf(run, "shop")).look(run, "shop");
    expect(found).toMatchObject({ live, owner: "shopapp", extensions: [{ name: "postgres_fdw", schema: "public" }], sessions: [] });
    const limits = found.limits.join("\n");
    for (const said of [
      "copies a database only while nobody is in it",
      "publication told",
      "foreign table far is not compared and not exported",
    ])
      expect(limits).toContain(said);
    const notes = found.notes.join("\n");
    for (const said of [
      "no policy of orders is for everybody",
      `none on "odd.schema".other`,
      "1 table(s) in schema public belong to backout and not to shopapp",
    ])
      expect(notes).toContain(said);
  });
});
