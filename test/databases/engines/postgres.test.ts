/** What was set aside is read, what a repair took away is exported, and rows written since are put back: renamed and in place alike. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CatalogueDatabase } from "../../../config/record.ts";
import type { AtRisk } from "../../../databases/engine.ts";
import { postgres } from "./whole.ts";
import type { RolloutPlan } from "../../../config/plan.ts";
import { inLive } from "../../../rollout/sessions.ts";
import type { Run } from "../../../config/run.ts";
import { bringData } from "../../../rollout/steps/data.ts";
import { withoutOwnFlags } from "../../../rollout/steps/flags.ts";
import { countsAfterReapply, reappliedKey, type Reapplied } from "../../../rollout/steps/reapply.ts";
import type { Server } from "../../../config/site.ts";
import { connect, withSession } from "../../../databases/postgres/connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { ExportDamagedError } from "../../../databases/postgres/export.ts";
import { missingDebianServer } from "../postgres/drivers/debian-server.ts";
import { startHosted, type Hosted } from "../in-place/hosted.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { DATABASE, makeStand, PINS, planOf, RESTORE, whole, type Stand } from "./postgres-stand.ts";

interface Kind {
  superuser: Endpoint;
  server: Server;
  make: (run: Run) => Promise<void>;
  /** Makes room for the next test's database. */
  clear: () => Promise<void>;
  stop: () => Promise<void>;
}

const BEFORE = [
  { id: 1, tenant: "a", name: "Ann" },
  { id: 2, tenant: "b", name: "Ben" },
  { id: 3, tenant: "b", name: "Cy" },
];

function behaves(start: () => Promise<Kind>): void {
  let kind: Kind;
  let stand: Stand;
  beforeAll(async () => void (kind = await start()), 120_000);
  afterAll(async () => kind.stop());
  beforeEach(async () => void (stand = await makeStand(kind.server, kind.make)));
  afterEach(async () => {
    await stand.end();
    await kind.clear();
  });

  const asSuperuser = (sql: string) => withSession(kind.superuser, DATABASE, (client) => client.query(sql));
  const quarantine = async (run: Run): Promise<CatalogueDatabase> =>
    (await run.state.catalogued()).find(({ role }) => role === "quarantine")!;

  test("what was set aside is read as it was, stays closed and as it is; one that was dropped is no more", async () => {
    const run = await stand.cutOver();
    const copy = await quarantine(run);
    expect(await whole(kind.superuser, "customers").catch(() => "closed")).toEqual(kind.server.driver === "in-place" ? BEFORE : "closed");
    const names = (): Promise<string> =>
      stand.engine.inCopy(run, copy, async (session) =>
        (await session.all<{ name: string }>("SELECT name FROM customers ORDER BY id")).map(({ name }) => name).join(),
      );
    expect(await names()).toBe("Ann,Benno,Di");
    await expect(stand.engine.inCopy(run, copy, () => Promise.reject(new Error("its own")))).rejects.toThrow("its own");
    await expect(connect(kind.superuser, copy.name)).rejects.toMatchObject({ code: kind.server.driver === "in-place" ? "3D000" : "55000" });
    await stand.engine.dropCopy(run, copy);
    await expect(names()).rejects.toThrow(new RegExp(copy.name));
    expect((await run.state.catalogued()).filter(({ role }) => role === "quarantine")).toEqual([]);
  });

  test("settings and comment that came since the snapshot stay, and are told by name before; those that did not change are not", async () => {
    const { run, snapshot } = await stand.snapshotted({
      prepare: async () =>
        void (await asSuperuser(`ALTER DATABASE ${DATABASE} SET lock_timeout = '9s'; COMMENT ON DATABASE ${DATABASE} IS 'v1'`)),
    });
    await stand.engine.admit(run, DATABASE, "everybody");
    const told = () => stand.engine.leftBehind(run, DATABASE, RESTORE, snapshot);
    expect(await told()).toEqual([]);
    await asSuperuser(`ALTER DATABASE ${DATABASE} SET app.secret = 'never shown'; CREATE ROLE nightly; ALTER ROLE nightly IN DATABASE ${DATABASE} SET work_mem = '8MB';
      ALTER DATABASE ${DATABASE} RESET lock_timeout; COMMENT ON DATABASE ${DATABASE} IS 'v2'`);
    expect(await told()).toEqual([
      "settings and comment of the database stay as they are now; these are not as they were in the snapshot: app.secret, work_mem of role nightly, lock_timeout, the comment",
    ]);
    await asSuperuser("DROP ROLE nightly");
  });

  test("what a repair in place took away or changed is counted, and exported as it was before, once; a file that changed since is told", async () => {
    const { run, snapshot } = await stand.left();
    const rows = {
      customers: { inserted: 1, updated: 1, deleted: 1 },
      orders: { inserted: 2, updated: 1, deleted: 1 },
      notes: { inserted: 2, updated: 0, deleted: 0 },
    };
    expect((await stand.engine.rowsSince(run, DATABASE, snapshot)).rows).toEqual(rows);
    // While users are in, policies that bind the owner hide rows from whoever counts them.
    if (kind.server.driver === "in-place")
      expect(await stand.engine.rowsAtRisk(run, DATABASE, snapshot, true)).toMatchObject({ how: "estimated", rows, unknown: {} });
    const folder = join(stand.folder, "replaced");
    const files = await stand.engine.exportReplaced(run, snapshot, folder, "run-3");
    expect(files.map(({ path, rows }) => [path.slice(folder.length + 1), rows])).toEqual([
      ["run-3.customers.jsonl", 3],
      ["run-3.customers.csv", 2],
      ["run-3.orders.jsonl", 4],
      ["run-3.orders.csv", 2],
      ["run-3.notes.jsonl", 2],
      ["run-3.notes.csv", 0],
    ]);
    const lines = readFileSync(files[0]!.path, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { op: "update", key: { id: "2" }, row: { name: "Ben" }, before: { name: "Benno" } },
      { op: "insert", key: { id: "3" }, row: { name: "Cy", tenant: "b" }, before: null },
      { op: "delete", key: { id: "4" }, row: null, before: { name: "Di" } },
    ]);
    expect(await stand.engine.exportReplaced(run, snapshot, folder, "run-3")).toEqual(files);
    writeFileSync(files[1]!.path, "changed");
    await expect(stand.engine.exportReplaced(run, snapshot, folder, "run-3")).rejects.toThrow(ExportDamagedError);
    // The policies bind their owner as before.
    expect(
      await inLive(run, DATABASE, (live) => live.all("SELECT relforcerowsecurity AS forced FROM pg_class WHERE relname = 'customers'")),
    ).toEqual([{ forced: true }]);
  });

  test("newWrites: reapply, killed with everything put back and nothing kept: nothing of it has happened, and a second run puts all of it back once", async () => {
    const { run } = await stand.left();
    await killedAt(stand, "data.put-back");
    await stand.engine.close(run, DATABASE);
    expect((await stand.engine.lineage(run, DATABASE)).snapshot?.name).toBe("before-v2");
    expect(await inLive(run, DATABASE, (live) => live.all("SELECT label FROM orders ORDER BY id"))).toEqual(
      ["one", "two", "three"].map((label) => ({ label })),
    );
    await bringData(run, DATABASE, PINS, planOf(RESTORE), "reapply");
    const done = (await run.state.kept<Reapplied>(reappliedKey(3, DATABASE)))!;
    expect(done).toMatchObject({
      tables: {
        customers: { inserted: 1, updated: 1, deleted: 1, unchanged: 0, conflicts: 0 },
        orders: { inserted: 1, updated: 1, deleted: 1, unchanged: 0, conflicts: 1 },
      },
      notHeld: { tables: { notes: 2 }, columns: {} },
      conflicts: 1,
    });
    expect(JSON.parse(readFileSync(done.conflictFile!, "utf8"))).toMatchObject({
      op: "insert",
      key: { id: "5" },
      reason: "constraint violated",
    });
    expect((await countsAfterReapply(run, 3))["orders"]).toBe(3);
    expect(
      await inLive(run, DATABASE, (live) => live.all("SELECT relforcerowsecurity AS forced FROM pg_class WHERE relname = 'customers'")),
    ).toEqual([{ forced: true }]);
    await stand.engine.admit(run, DATABASE, "everybody");
    expect(await whole(kind.superuser, "customers")).toEqual([
      BEFORE[0],
      { ...BEFORE[1], name: "Benno" },
      { id: 4, tenant: "b", name: "Di" },
    ]);
    expect(await whole(kind.superuser, "orders")).toEqual([
      { id: 1, customer: 1, label: "ONE" },
      { id: 2, customer: 2, label: "two" },
      { id: 4, customer: 4, label: "four" },
    ]);
    // What services do with the rows afterwards is not undone by a run that is started again.
    await stand.sql("DELETE FROM orders WHERE id = 4");
    await stand.engine.close(run, DATABASE);
    await bringData(run, DATABASE, PINS, planOf(RESTORE), "reapply");
    expect(await inLive(run, DATABASE, (live) => live.all("SELECT id FROM orders ORDER BY id"))).toEqual([{ id: 1 }, { id: 2 }]);
  });
}

/** Runs `work` with a server and a stack on it that are gone afterwards. */
async function onOwnServer(work: (on: { stand: Stand; own: OwnServer }) => Promise<void>): Promise<void> {
  const own = await ownServer();
  const { host, port, user, passwordFile } = own.endpoint;
  const server: Server = { embedded: false, host, port, user, passwordFile: passwordFile!, driver: "template", databases: {} };
  const stand = await makeStand(server, (run) => postgres.make(run, DATABASE));
  try {
    await work({ stand, own });
  } finally {
    await stand.end();
    await own.remove();
  }
}

describe("databases that are renamed", () => {
  test("whoever looks at rows at risk while a fence closes is refused, and ends nobody who works inside it", async () => {
    await onOwnServer(async ({ stand }) => {
      const { run, snapshot } = await stand.snapshotted();
      const flags = {
        database: DATABASE,
        requiresTable: "customers",
        readSql: "SELECT name, true AS enabled FROM customers",
        writeSql: "",
      };
      const at = { ...run, definition: { ...run.definition, flags } };
      const plan = { databases: { [DATABASE]: planOf({ kind: "none" }) } } as unknown as RolloutPlan;
      await run.state.beginRollout({ epoch: 2, rollout: "rollout-2", pins: PINS, plan, runId: "run-2", reason: null });
      const detail = { before: {}, flags: { Ann: true } };
      await run.state.note({ epoch: 2, runId: "run-2", phase: "install", kind: "flags", step: "flags", status: "finished", detail });
      const risk: AtRisk = {
        rows: { customers: { inserted: 1, updated: 0, deleted: 0 } },
        how: "counted",
        unknown: {},
        notCompared: [],
        notes: [],
      };
      const inside = await postgres.openLive(run, DATABASE, true);
      await expect(withoutOwnFlags(at, snapshot, risk, false)).rejects.toMatchObject({ code: "55000" });
      expect(await inside.session.all("SELECT 1 AS still")).toEqual([{ still: 1 }]);
      await inside.end();
      expect((await withoutOwnFlags(at, snapshot, risk, true)).rows["customers"]).toMatchObject({ inserted: 0 });
    });
  });

  test("a database of somebody else's that is called like a standby copy is left alone; a copy that nobody entered goes", async () => {
    await onOwnServer(async ({ stand, own }) => {
      const { run, snapshot } = await stand.snapshotted();
      for (const name of ["shop_standby_forces", "shop_standby_9_1"]) await (await own.create(name)).end();
      await postgres.makeStandby(run, snapshot);
      const { rows } = await (
        await own.open("postgres")
      ).query<{ name: string }>("SELECT datname AS name FROM pg_database WHERE datname LIKE 'shop\\_standby%' ORDER BY 1");
      expect(rows.map(({ name }) => name)).toEqual([`shop_standby_${snapshot.id}_1`, "shop_standby_forces"]);
    });
  });

  behaves(async () => {
    const own: OwnServer = await ownServer();
    const { host, port, user, passwordFile } = own.endpoint;
    return {
      superuser: own.endpoint,
      server: { embedded: false, host, port, user, passwordFile: passwordFile!, driver: "template", databases: {} },
      make: (run) => postgres.make(run, DATABASE),
      clear: async () => {
        const admin = await own.open("postgres");
        const { rows } = await admin.query<{ name: string }>(
          "SELECT quote_ident(datname) AS name FROM pg_database WHERE datname LIKE 'shop%'",
        );
        for (const { name } of rows) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
        await admin.end();
      },
      stop: () => own.remove(),
    };
  });
});

const missing = missingDebianServer();
describe.skipIf(missing !== null)("a database in place", () => {
  behaves(async () => {
    const hosted: Hosted = await startHosted();
    const { host, port, user, password } = hosted.endpoint;
    const fresh = async (): Promise<void> => {
      await (await hosted.database(DATABASE)).end();
    };
    await fresh();
    return {
      superuser: hosted.server.endpoint,
      server: { embedded: false, host, port, user, password: password!, driver: "in-place", databases: {} },
      make: () => Promise.resolve(),
      clear: async () => {
        const admin = await hosted.as("backout", hosted.server.endpoint.password!, "postgres");
        await admin.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
        await admin.end();
        await fresh();
      },
      stop: () => hosted.stop(),
    };
  });
});

/** A process that brings the data and is killed where it waits. */
async function killedAt({ folder, site }: Stand, point: string): Promise<void> {
  const points = join(folder, "points");
  mkdirSync(points, { recursive: true });
  const path = fileURLToPath(new URL("./postgres-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", path, JSON.stringify(site)], {
    env: { ...process.env, BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  while (!existsSync(join(points, `${point}.reached`))) {
    if (child.exitCode !== null) throw new Error(`it ended before ${point}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
