/** A SQLite file through rollouts: made, snapshotted, with its standby copy, cut over, undone, exported; killed at every point of the swap. */
// Longer than 300 lines: one file goes through rollouts in their order.
import { spawn, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LockedError, type Snapshot } from "../../../config/record.ts";
import { makeStandbysBefore, readinessOf, missingStandbys } from "../../../rollout/standby.ts";
import { previewLines } from "../../../rollout/preview-lines.ts";
import { previewRollout } from "../../../rollout/preview.ts";
import { afterScope, plan as rolloutPlan } from "../../rollout/sample.ts";
import { atRisk, baseSnapshot } from "../../../rollout/at-risk.ts";
import { sqlite } from "./whole.ts";
import { copiesFolder } from "../../../databases/sqlite/engine/places.ts";
import { applyRetention, beyondRetention } from "../../../rollout/retention.ts";
import type { DataAction } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { setFlags } from "../../../rollout/steps/flags.ts";
import { all, openFile, withFile } from "../../../databases/sqlite/database.ts";
import { begin, DATABASE, makeStand, NEWER, PINS, planOf, type Stand } from "./sqlite-stand.ts";

const RESTORE: DataAction = { kind: "restore", snapshot: "before-v2", generation: 1, again: 0 };

let stand: Stand;
beforeEach(() => void (stand = makeStand()));
afterEach(async () => stand.end());

const sql = (text: string): void => withFile(stand.live, {}, (db) => db.exec(text));
const orders = (path = stand.live): unknown[] =>
  withFile(path, { readOnly: true }, (db) => all(db, "SELECT id, label FROM orders ORDER BY id"));

/** Made and migrated, with two orders, open to everybody. */
async function deployed(): Promise<Run> {
  const run = await stand.run(1);
  await sqlite.make(run, DATABASE);
  await sqlite.migrate(run, DATABASE, PINS, planOf({ kind: "create" }));
  await sqlite.admit(run, DATABASE, "everybody");
  sql(
    "INSERT INTO customers VALUES (1, 'A'); INSERT INTO orders (id, customer, amount, label) VALUES (1, 1, 1.5, 'one'), (2, 1, 0, 'Two')",
  );
  return run;
}

/** The newer release is deployed over a snapshot, and users write. */
async function left(): Promise<{ run: Run; snapshot: Snapshot }> {
  await deployed();
  const run = await stand.run(2);
  await sqlite.keepProperties(run, DATABASE, true);
  await sqlite.close(run, DATABASE);
  const begun = await run.state.beginSnapshot(
    { database: DATABASE, name: "before-v2", driver: sqlite.driver(run), epoch: 2, release: "v1", automatic: true },
    (generation) => sqlite.snapshotLocation(run, DATABASE, "before-v2", generation),
  );
  const taken = await sqlite.takeSnapshot(run, begun, false);
  await run.state.finishSnapshot(begun.id, { ...taken, baseline: null });
  await sqlite.migrate(run, DATABASE, NEWER, planOf({ kind: "none" }));
  await sqlite.admit(run, DATABASE, "everybody");
  sql(
    "INSERT INTO orders (id, customer, amount, label) VALUES (3, 1, 9, 'three'); UPDATE orders SET label = 'ONE' WHERE id = 1; DELETE FROM orders WHERE id = 2; INSERT INTO notes VALUES ('n', x'00ff')",
  );
  return { run, snapshot: (await run.state.readySnapshots())[0]! };
}

async function cutOver(epoch: number, action: DataAction = RESTORE) {
  const run = await stand.run(epoch);
  await sqlite.keepProperties(run, DATABASE, true);
  await sqlite.close(run, DATABASE);
  const done = await sqlite.cutOver(run, DATABASE, action, await baseSnapshot(run, DATABASE, action));
  await sqlite.admit(run, DATABASE, "everybody");
  return { run, done };
}

describe("a file through rollouts", () => {
  it("is made with its schema, its write-ahead log and its place in the catalogue; made again, it stays", async () => {
    const run = await deployed();
    await sqlite.make(run, DATABASE);
    expect(withFile(stand.live, {}, (db) => all(db, "PRAGMA journal_mode"))).toEqual([{ journal_mode: "wal" }]);
    expect(await sqlite.facts(run, DATABASE)).toEqual({
      exists: true,
      lineage: { snapshot: null, quarantine: null },
      applied: ["1_orders"],
      failed: [],
      ledger: "backout",
      head: "1_orders",
    });
    expect((await run.state.catalogued()).map(({ name, role }) => [name, role])).toEqual([[DATABASE, "live"]]);
  });

  it("rows at risk are counted per table, and the same inside the fence", async () => {
    const { run, snapshot } = await left();
    const rows = {
      customers: { inserted: 0, updated: 0, deleted: 0 },
      orders: { inserted: 1, updated: 1, deleted: 1 },
      notes: { inserted: 1, updated: 0, deleted: 0 },
      visits: { inserted: 1, updated: 0, deleted: 0 },
    };
    expect(await sqlite.rowsAtRisk({ ...run }, DATABASE, snapshot, false)).toEqual({
      how: "counted",
      rows,
      unknown: {},
      notCompared: [],
      notes: [],
    });
    expect((await sqlite.rowsSince(run, DATABASE, snapshot)).rows).toEqual(rows);
  });

  it("the undo of an undo says that nothing is compared or exported, and that quarantine keeps all of it", async () => {
    const { run } = await left();
    const undo = planOf({ kind: "undo", quarantine: `${DATABASE}_quarantine_9` });
    const plan = { ...rolloutPlan(afterScope("restore")), databases: { [DATABASE]: undo } };
    const preview = await previewRollout(run.site, stand.definition, plan, { exact: false, reached: true });
    expect(preview.databases[DATABASE]).toMatchObject({
      atRisk: null,
      unknown: expect.stringMatching(/restored from no snapshot/) as string,
    });
    expect(
      previewLines(preview)
        .map(({ line }) => line)
        .join("\n"),
    ).toContain("all of it is kept in quarantine");
  });

  it("a flag that the deployment set is no row at risk; one that somebody changed since, or wrote, is", async () => {
    stand.definition.flags = {
      database: DATABASE,
      requiresTable: "notes",
      readSql: "SELECT code AS name, body AS enabled FROM notes",
      writeSql: "INSERT INTO notes VALUES ($1, $2) ON CONFLICT (code) DO UPDATE SET body = excluded.body",
    };
    const { run } = await left();
    await begin(run, planOf({ kind: "none" }), false);
    sql("DELETE FROM notes; DELETE FROM visits");
    await setFlags(run, { sync: true, report: true });
    const notesAtRisk = async () => {
      const found = (await atRisk(run, DATABASE, RESTORE, true))!;
      return [found.rows["notes"]!.inserted, found.notes] as const;
    };
    expect(await notesAtRisk()).toEqual([0, ["notes: not counted, as a deployment set it: sync, report"]]);
    sql("INSERT INTO notes VALUES ('own', 1)");
    expect((await notesAtRisk())[0]).toBe(1);
    sql("UPDATE notes SET body = 0 WHERE code = 'sync'");
    expect((await notesAtRisk())[0], "switched off by hand").toBe(2);
  });

  it("goes back to the snapshot by names alone, keeps mode, owner and log, and comes back again", async () => {
    const { run, snapshot } = await left();
    expect((await missingStandbys(run.state, "deploy")).map(({ id }) => id)).toEqual([snapshot.id]);
    await sqlite.makeStandby(run, snapshot);
    expect(await missingStandbys(run.state, "deploy")).toEqual([]);
    chmodSync(stand.live, 0o640);
    const { run: third, done } = await cutOver(3);
    expect(done).toMatchObject({ quarantine: "shop_quarantine_3" });
    expect(orders()).toEqual([
      { id: 1, label: "one" },
      { id: 2, label: "Two" },
    ]);
    expect(statSync(stand.live).mode & 0o777).toBe(0o640);
    expect(withFile(stand.live, {}, (db) => all(db, "PRAGMA journal_mode"))).toEqual([{ journal_mode: "wal" }]);
    expect((await sqlite.facts(third, DATABASE)).lineage.snapshot).toEqual({ name: "before-v2", generation: 1, again: 0 });
    expect((await sqlite.facts(third, DATABASE)).applied).toEqual(["1_orders"]);
    // A second time: unchanged.
    expect((await cutOver(3)).done).toBeNull();
    // And the undo.
    const undone = await cutOver(4, { kind: "undo", quarantine: "shop_quarantine_3" });
    expect(orders()).toEqual([
      { id: 1, label: "ONE" },
      { id: 3, label: "three" },
    ]);
    expect((await sqlite.lineage(undone.run, DATABASE)).quarantine).toBe("shop_quarantine_3");
    expect((await undone.run.state.catalogued()).map(({ name, role }) => [name, role]).sort()).toEqual([
      ["shop", "live"],
      ["shop_quarantine_4", "quarantine"],
    ]);
  });

  it("exports what was written since, byte for byte checkable, once", async () => {
    await left();
    const { run } = await cutOver(3);
    const quarantine = (await run.state.catalogued()).find(({ role }) => role === "quarantine")!;
    const snapshot = (await run.state.readySnapshots())[0]!;
    const folder = join(stand.folder, "exports");
    const files = await sqlite.exportSince(run, quarantine, snapshot, folder, "run-3");
    expect(files.map(({ path, rows }) => [path.slice(folder.length + 1), rows])).toEqual([
      ["run-3.notes.jsonl", 1],
      ["run-3.notes.csv", 1],
      ["run-3.orders.jsonl", 3],
      ["run-3.orders.csv", 2],
      ["run-3.visits.jsonl", 1],
      ["run-3.visits.csv", 1],
    ]);
    const lines = readFileSync(files[2]!.path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toEqual({
      op: "update",
      key: { id: "1" },
      row: { id: "1", customer: "1", amount: "1.5", label: "ONE" },
      before: { id: "1", customer: "1", amount: "1.5", label: "one" },
    });
    expect(JSON.parse(readFileSync(files[0]!.path, "utf8"))).toMatchObject({ key: { code: "n" }, row: { body: "\\x00ff" } });
    expect(await sqlite.exportSince(run, quarantine, snapshot, folder, "run-3")).toEqual(files);
    writeFileSync(files[1]!.path, "changed");
    await expect(sqlite.exportSince(run, quarantine, snapshot, folder, "run-3")).rejects.toThrow(/is damaged/);
  });

  it("takes migrations back by their down scripts, or only in the ledger", async () => {
    const { run } = await left();
    const back = { back: ["2_notes"], up: [] };
    expect(await sqlite.migrate(run, DATABASE, PINS, planOf({ kind: "none" }, { ...back, backBy: "mark" }))).toEqual({
      up: [],
      back: ["2_notes"],
    });
    expect((await sqlite.facts(await stand.run(3), DATABASE)).exists).toBe(true);
    await sqlite.admit(run, DATABASE, "everybody");
    expect((await sqlite.facts(run, DATABASE)).applied).toEqual(["1_orders"]);
    expect(withFile(stand.live, {}, (db) => all(db, "SELECT count(*) AS rows FROM notes"))).toEqual([{ rows: 1 }]);
  });

  it("what retention drops is gone from disk and catalogue", async () => {
    const { snapshot } = await left();
    const { run } = await cutOver(3);
    const { run: fourth } = await cutOver(4, { kind: "undo", quarantine: "shop_quarantine_3" });
    const entries = await fourth.state.catalogued();
    const one = { keep: 1, quarantines: 1, snapshots: [] };
    const newer = { ...entries.find(({ role }) => role === "quarantine")!, oid: Number.MAX_SAFE_INTEGER, name: "newer", epoch: 9 };
    const beyond = (epoch: number) =>
      beyondRetention([snapshot], [...entries, newer], one, {
        pinned: [],
        epoch,
        opened: [],
        order: [],
        releases: [],
        unopened: [],
        onlyCopies: [],
      }).databases;
    expect(beyond(4)).toEqual([]);
    const [dropped] = beyond(5);
    await sqlite.dropCopy(fourth, dropped!);
    expect(readdirSync(copiesFolder(stand.site, DATABASE))).toEqual([]);
    // Whoever was to remove it was killed, or could not: the next time it is removed.
    await run.state.setSnapshotState(snapshot.id, "removing");
    expect(await run.state.readySnapshots()).toEqual([]);
    expect(await applyRetention(fourth, one, [], null)).toContain(`${snapshot.name}@${snapshot.generation}`);
    expect(existsSync(snapshot.location)).toBe(false);
    expect(await applyRetention(fourth, one, [], null)).toEqual([]);
  });
});

describe("what would destroy data is refused", () => {
  it.each(["its own name", "another name: a hard link"])(
    "a stranger's handle by %s, with pid and program, before and inside the fence",
    async (how) => {
      const { run } = await left();
      const link = join(dirname(dirname(stand.live)), "linked.db");
      if (how !== "its own name") linkSync(stand.live, link);
      const child = await holder(how === "its own name" ? stand.live : link);
      try {
        await expect(sqlite.refuseUnfenceable(run, [DATABASE])).rejects.toThrow(new RegExp(`held open by .*\\(pid ${child.pid}\\)`));
        await expect(sqlite.close(run, DATABASE)).rejects.toThrow(new RegExp(`held open by .*\\(pid ${child.pid}\\)`));
        expect(orders()).toHaveLength(2);
      } finally {
        await ended(child);
      }
      await sqlite.refuseUnfenceable(run, [DATABASE]);
    },
  );

  it("a writer who comes while the fence stands", async () => {
    const { run } = await left();
    await sqlite.close(run, DATABASE);
    const other = openFile(stand.live, { timeoutMs: 0 });
    expect(() => other.exec("INSERT INTO customers VALUES (9, 'late')")).toThrow(/locked/);
    other.close();
    await sqlite.admit(run, DATABASE, "everybody");
    sql("INSERT INTO customers VALUES (9, 'late')");
  });

  it("a stale log is never replayed over the file that was swapped in", async () => {
    const { snapshot } = await left();
    await sqlite.makeStandby(await stand.run(2), snapshot);
    // The log of a session that was killed, left beside the file after it was brought in.
    const writer = openFile(stand.live);
    writer.exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO customers VALUES (7, 'in the log')");
    const log = readFileSync(`${stand.live}-wal`);
    writer.close();
    const run = await stand.run(3);
    await sqlite.keepProperties(run, DATABASE, true);
    await sqlite.close(run, DATABASE);
    writeFileSync(`${stand.live}-wal`, log);
    await expect(sqlite.cutOver(run, DATABASE, RESTORE, snapshot)).resolves.toMatchObject({ quarantine: "shop_quarantine_3" });
    await sqlite.admit(run, DATABASE, "everybody");
    expect(orders()).toHaveLength(2);
    expect(withFile(stand.live, {}, (db) => all(db, "SELECT id FROM customers"))).toEqual([{ id: 1 }]);
  });

  it("a copy that was touched, and a snapshot that is damaged", async () => {
    const { run, snapshot } = await left();
    const copy = await sqlite.makeStandby(run, snapshot);
    const path = join(copiesFolder(stand.site, DATABASE), `${copy.name}.db`);
    chmodSync(path, 0o600);
    withFile(path, {}, (db) => db.exec("UPDATE orders SET label = 'planted' WHERE id = 2"));
    const { done } = await cutOver(3);
    expect(done).not.toBeNull();
    expect(orders()).toContainEqual({ id: 2, label: "Two" });
    expect(stand.said.join("\n")).toMatch(/was touched since it was verified/);
    // The next one: no standby copy is left, and the pristine file is cut short.
    chmodSync(snapshot.location, 0o600);
    truncateSync(snapshot.location, 8_192);
    const next = { ...RESTORE, again: 1 } as DataAction;
    await expect(cutOver(5, next)).rejects.toThrow(/damaged|differs|malformed/);
    await sqlite.admit(await stand.run(5), DATABASE, "everybody");
    expect(orders()).toHaveLength(2);
  });

  it("a damaged live file is no obstacle: it is set aside as it is", async () => {
    const { snapshot } = await left();
    await sqlite.makeStandby(await stand.run(2), snapshot);
    for (const beside of ["-wal", "-shm"]) rmSync(stand.live + beside, { force: true });
    writeFileSync(stand.live, "this is no database, whatever its name says; it was overwritten by something else".repeat(100));
    const facts = await sqlite.facts(await stand.run(3), DATABASE);
    expect([facts.exists, facts.applied]).toEqual([true, []]);
    const { run, done } = await cutOver(3);
    expect(done).toMatchObject({ quarantine: "shop_quarantine_3" });
    expect(orders()).toHaveLength(2);
    const quarantine = (await run.state.catalogued()).find(({ role }) => role === "quarantine")!;
    expect(await sqlite.exportSince(run, quarantine, snapshot, join(stand.folder, "exports"), "run-3")).toEqual([]);
    expect(stand.said.join("\n")).toMatch(/damaged and cannot be compared/);
  });
});

describe("killed in the middle of the cut-over", () => {
  const POINTS = ["data.swap-before", "data.swap-set-aside", "data.swap-renamed", "data.swap-catalogued"];

  for (const point of POINTS)
    it(`at ${point}: the data is whole, and the same pins go on from there`, async () => {
      const { run, snapshot } = await left();
      await sqlite.keepProperties(run, DATABASE, true);
      await sqlite.makeStandby(run, snapshot);
      await killedAt(point);
      const next = await stand.run(3);
      const seen = await sqlite.facts(next, DATABASE);
      // Never taken for a stack without data.
      expect(seen.exists).toBe(true);
      const swapped = point === "data.swap-renamed" || point === "data.swap-catalogued";
      expect(seen.lineage.snapshot?.name ?? null).toBe(swapped ? "before-v2" : null);
      const { run: third } = await cutOver(3);
      expect(orders()).toHaveLength(2);
      expect(orders()).toContainEqual({ id: 2, label: "Two" });
      const [quarantine] = (await third.state.catalogued()).filter(({ role }) => role === "quarantine");
      expect(quarantine).toMatchObject({ name: "shop_quarantine_3" });
      expect(orders(join(copiesFolder(stand.site, DATABASE), "shop_quarantine_3.db"))).toContainEqual({ id: 3, label: "three" });
    });

  for (const point of POINTS.slice(0, 2))
    it(`at ${point}, and then pinned back: nothing has happened`, async () => {
      const { run, snapshot } = await left();
      await sqlite.keepProperties(run, DATABASE, true);
      await sqlite.makeStandby(run, snapshot);
      await killedAt(point);
      const next = await stand.run(4);
      await sqlite.close(next, DATABASE);
      await sqlite.admit(next, DATABASE, "everybody");
      expect(orders()).toContainEqual({ id: 3, label: "three" });
      expect((await next.state.catalogued()).map(({ role }) => role).sort()).toEqual(["live", "standby"]);
      expect(readdirSync(copiesFolder(stand.site, DATABASE)).filter((name) => name.includes("quarantine"))).toEqual([]);
    });

  it("a file that somebody put in its place meanwhile is not overwritten", async () => {
    const { run, snapshot } = await left();
    await sqlite.keepProperties(run, DATABASE, true);
    await sqlite.makeStandby(run, snapshot);
    await killedAt("data.swap-set-aside");
    rmSync(stand.live);
    withFile(stand.live, {}, (db) => db.exec("CREATE TABLE foreign_table (id)"));
    await expect(cutOver(3)).rejects.toThrow(/somebody put another file in its place/);
    expect(withFile(stand.live, {}, (db) => all(db, "SELECT name FROM sqlite_schema"))).toEqual([{ name: "foreign_table" }]);
  });

  it("the lock dies with its process, and until then says who holds it", async () => {
    const { run, snapshot } = await left();
    await sqlite.keepProperties(run, DATABASE, true);
    await sqlite.makeStandby(run, snapshot);
    const child = await heldAt("data.swap-before");
    const other = await stand.run(4);
    await expect((other.state as unknown as { lock: typeof run.state.lock }).lock({ pid: process.pid }, 0)).rejects.toThrow(LockedError);
    await ended(child);
    await other.state.lock({ pid: process.pid }, 0);
  });
});

const points = (): string => join(stand.folder, "points");

/** A process that cuts over and waits at the point. */
describe("a snapshot that has no standby copy", () => {
  it("is copied before anybody is kept out, once; what is live stays open", async () => {
    const { run, snapshot } = await left();
    expect(await readinessOf(run, snapshot)).toEqual({ standby: false, reason: null });
    await makeStandbysBefore(run, { [DATABASE]: planOf(RESTORE) });
    await makeStandbysBefore(run, { [DATABASE]: planOf(RESTORE) });
    expect(await readinessOf(run, snapshot)).toEqual({ standby: true, reason: null });
    expect((await run.state.catalogued()).filter(({ role }) => role === "standby")).toHaveLength(1);
    sql("INSERT INTO notes VALUES ('still open', NULL)");
  });
});

async function heldAt(point: string): Promise<ChildProcess> {
  mkdirSync(points(), { recursive: true });
  const child = program("sqlite-child.ts", [stand.folder, "3", JSON.stringify(RESTORE)], {
    BACKOUT_FAILPOINT: point,
    BACKOUT_FAILPOINT_FOLDER: points(),
  });
  let said = "";
  child.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
  while (!existsSync(join(points(), `${point}.reached`))) {
    if (child.exitCode !== null) throw new Error(`it ended before ${point}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

async function killedAt(point: string): Promise<void> {
  await ended(await heldAt(point));
}

/** A process that has the file open and writes nothing. */
async function holder(file: string): Promise<ChildProcess> {
  const script = join(dirname(stand.live), "holder.cjs");
  writeFileSync(
    script,
    `const { DatabaseSync } = require("node:sqlite"); const db = new DatabaseSync(${JSON.stringify(file)}); db.prepare("SELECT count(*) FROM customers").get(); console.log("open"); setInterval(() => db, 1000);`,
  );
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

function program(name: string, parameters: string[], environment: Record<string, string>): ChildProcess {
  const path = fileURLToPath(new URL(`./${name}`, import.meta.url));
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", path, ...parameters], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
