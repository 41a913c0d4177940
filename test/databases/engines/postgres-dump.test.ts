/** A copy restored from a dump is compared with what the live database held, not with itself. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Snapshot } from "../../../config/record.ts";
import { postgres } from "./whole.ts";
import { clientOf } from "../../../databases/postgres/engine/session.ts";
import { CopyDiffersError } from "../../../databases/shared/copies.ts";
import type { RolloutPlan } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { gatePassFile } from "../../../config/site.ts";
import { connect } from "../../../databases/postgres/connection.ts";
import { hashFiles, readManifest, writeManifest } from "../../../databases/postgres/drivers/dump-manifest.ts";
import type { Manifest } from "../../../databases/postgres/manifest-shape.ts";
import type { Baseline } from "../../../config/system/check.ts";
import { openContext } from "../../../rollout/verification/context.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "../postgres/drivers/debian-server.ts";
import { DATABASE, makeStand, PINS, planOf, RESTORE, type Stand } from "./postgres-stand.ts";

const missing = missingDebianServer();
const COUNTED: Baseline = {
  at: "2026-01-01T00:00:00.000Z",
  release: "v1",
  counts: { customers: 3, orders: 3 },
  latencyMs: null,
  flags: {},
};

/** What pg_dump does not bring back as it was, or in other words; and a setting of the database's own that would show all of it otherwise. */
const UNFAITHFUL = `
  CREATE MATERIALIZED VIEW stale AS SELECT id FROM orders;
  INSERT INTO orders VALUES (4, 1, 'later'); ALTER TABLE orders ADD double int DEFAULT 1;
  ALTER TABLE orders ADD state varchar(9) DEFAULT 'new' CONSTRAINT known CHECK (state IN ('new', 'done'));
  CREATE INDEX done ON orders (id) WHERE state IN ('done', 'gone');
  CREATE VIEW unfinished AS SELECT id FROM orders WHERE state NOT IN ('done', 'gone');
  CREATE FUNCTION is_known(state varchar) RETURNS boolean BEGIN ATOMIC SELECT state IN ('new', 'done'); END;
  CREATE EXTENSION pg_stat_statements VERSION '1.8';
  CREATE TABLE base (a int); CREATE TABLE derived (own int) INHERITS (base); ALTER TABLE base ADD b int; INSERT INTO derived VALUES (1, 2, 3);
  ALTER DATABASE ${DATABASE} SET quote_all_identifiers = on`;

describe("a standby copy of a dump", () => {
  let server: DebianServer;
  let stand: Stand;
  beforeAll(async () => {
    if (missing === null) server = await startDebianServer();
  });
  afterAll(() => server?.stop());
  beforeEach(async (context) => {
    if (missing !== null) return context.skip(missing);
    const { host, port, user, password } = server.endpoint;
    const declared = { embedded: false, host, port, user, password: password!, driver: "dump" as const, databases: {} };
    stand = await makeStand(declared, (run) => postgres.make(run, DATABASE));
  });
  afterEach(async () => {
    if (missing !== null) return;
    await stand.end();
    const admin = await connect(server.endpoint, "postgres");
    const { rows } = await admin.query<{ name: string }>("SELECT quote_ident(datname) AS name FROM pg_database WHERE datname LIKE 'shop%'");
    for (const { name } of rows) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });

  const standby = async (run: Run): Promise<string[]> =>
    (await run.state.catalogued()).filter(({ role }) => role === "standby").map(({ name }) => name);

  /** As the record was before: what the dump holds was read from what it was restored to. */
  const forgotten = async ({ state }: Run): Promise<Snapshot> => {
    await clientOf(state).query("UPDATE snapshots SET manifest = NULL");
    return (await state.readySnapshots())[0]!;
  };

  test("is compared with what stood in the live database when it was dumped, and is then used", async () => {
    const { run, snapshot } = await stand.snapshotted();
    const manifest = snapshot.manifest as unknown as Manifest;
    expect(manifest.tables["orders"]).toEqual({ rows: 3, checksum: expect.any(String) as string });
    // The fence stands as it stood.
    await expect(connect(server.endpoint, DATABASE)).rejects.toMatchObject({ code: "55000" });
    const copy = await postgres.makeStandby(run, snapshot);
    expect(copy.verified).not.toBeNull();
    expect(await standby(run)).toEqual([copy.name]);
  });

  test.each([
    ["a row that the dump lost", "3\t2\tthree\n", "", "table orders has rows 2, expected 3"],
    ["a value that the dump changed", "\ttwo\n", "\ttow\n", "table orders has the expected 3 rows, but other content"],
  ])("%s refuses it, and leaves no copy", async (_what, text, instead, difference) => {
    const { run, snapshot } = await stand.snapshotted();
    await rewrite(snapshot.location, text, instead);
    const making = postgres.makeStandby(run, snapshot);
    await expect(making).rejects.toThrow(CopyDiffersError);
    await expect(making).rejects.toMatchObject({ differences: [difference] });
    expect(await standby(run)).toEqual([]);
  });

  test.each([
    ["removed", "DELETE FROM orders WHERE id = 3", "table orders has rows 2, expected 3"],
    ["changed", "UPDATE orders SET label = 'ONE' WHERE id = 1", "table orders has the expected 3 rows, but other content"],
  ])("in which a row was %s since it was verified is dropped, and one with the right rows is made", async (_how, statement) => {
    const { run, snapshot } = await stand.snapshotted();
    const first = await postgres.makeStandby(run, snapshot);
    await clientOf(run.state).query(`ALTER DATABASE ${first.name} ALLOW_CONNECTIONS true`);
    const touching = await connect(server.endpoint, first.name);
    await touching.query(statement);
    await touching.end();
    await clientOf(run.state).query(`ALTER DATABASE ${first.name} ALLOW_CONNECTIONS false`);
    const labels = await postgres.inSnapshot(run, snapshot, (session) => session.all("SELECT label FROM orders ORDER BY id"));
    expect(labels).toEqual(["one", "two", "three"].map((label) => ({ label })));
    expect((await run.state.catalogued()).some(({ oid }) => oid === first.oid)).toBe(false);
  });

  test("may differ where no dump holds what there was, and is compared with what there was in everything else", async () => {
    const prepare = async (): Promise<void> => {
      await stand.sql(UNFAITHFUL);
      await expect(stand.sql("CREATE UNIQUE INDEX CONCURRENTLY broken ON orders (double)")).rejects.toThrow("could not create");
    };
    const { run, snapshot } = await stand.snapshotted({ prepare });
    const manifest = snapshot.manifest as unknown as Manifest;
    expect(manifest.materializedViews["stale"]).toEqual({ rows: 3, populated: true });
    expect(manifest.indexes["broken"]).toMatch(/ INVALID$/);
    await postgres.makeStandby(run, snapshot);
    expect(await postgres.inSnapshot(run, snapshot, (session) => session.all("SELECT count(*)::int AS rows FROM stale"))).toEqual([
      { rows: 4 },
    ]);
    await rewrite(snapshot.location, "\tlater\t", "\tsooner\t");
    await expect(postgres.makeStandby(run, snapshot)).rejects.toMatchObject({
      differences: ["table orders has the expected 4 rows, but other content"],
    });
  });

  test("of a record from before, without content: refused where rows counted in the fence are missing, else used and compared with from then on", async () => {
    const { run, snapshot } = await stand.snapshotted({ baseline: COUNTED });
    const whole = await forgotten(run);
    expect(whole.manifest).toBeNull();
    const good = await postgres.makeStandby(run, whole);
    expect(good.verified).not.toBeNull();
    expect((await run.state.readySnapshots())[0]!.manifest).toEqual(snapshot.manifest);
    await postgres.dropCopy(run, good);

    await rewrite(snapshot.location, "3\t2\tthree\n", "");
    const damaged = await forgotten(run);
    await expect(postgres.makeStandby(run, damaged)).rejects.toMatchObject({ differences: ["table orders has rows 2, expected 3"] });
    expect(await standby(run)).toEqual([]);
    expect((await run.state.readySnapshots())[0]!.manifest).toBeNull();
  });

  test("that stands in the live database's place is expected to hold what was counted in the fence, whatever an older record says", async () => {
    const { run, snapshot } = await stand.snapshotted({ baseline: COUNTED });
    const manifest = snapshot.manifest as unknown as Manifest;
    await run.state.setManifest(snapshot.id, {
      ...manifest,
      tables: { orders: { rows: 2, checksum: "0" }, extra: { rows: 7, checksum: "0" } },
    });
    const third = await stand.run(3);
    const plan = { forward: false, fenceData: true, databases: { [DATABASE]: planOf(RESTORE) } } as unknown as RolloutPlan;
    await third.state.beginRollout({ epoch: 3, rollout: "rollout-3", pins: PINS, plan, runId: "run-3", reason: null });
    await mkdir(dirname(gatePassFile(third.site)), { recursive: true });
    await writeFile(gatePassFile(third.site), "pass");
    const context = await openContext(third, { ...PINS, services: {} }, { open: false });
    await context.end();
    expect(context.baseline?.counts).toEqual({ customers: 3, orders: 3, extra: 7 });
  });

  test("of a record from before in which nothing was counted is used as ever", async () => {
    const { run } = await stand.snapshotted();
    expect((await postgres.makeStandby(run, await forgotten(run))).verified).not.toBeNull();
  });
});

/** Puts other text into the data of a dump, which then says of itself that it is whole: what a tool that loses rows would have written. */
async function rewrite(folder: string, text: string, instead: string): Promise<void> {
  let found = 0;
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".dat.gz"))) {
    const content = gunzipSync(await readFile(join(folder, name))).toString();
    if (!content.includes(text)) continue;
    await writeFile(join(folder, name), gzipSync(content.replace(text, instead)));
    found++;
  }
  expect(found).toBe(1);
  await writeManifest(folder, { ...(await readManifest(folder)), files: await hashFiles(folder) });
}
