/** `newWrites: reapply` on a SQLite file: cut over, put back, counted; killed, damaged, and met by services afterwards. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Snapshot } from "../../../config/record.ts";
import { sqlite } from "./whole.ts";
import { movedData } from "../../../rollout/moved-data.ts";
import type { DataAction } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { bringData } from "../../../rollout/steps/data.ts";
import { countsAfterReapply, reappliedBy, reappliedKey, rowsPutBack, type Reapplied } from "../../../rollout/steps/reapply.ts";
import { all, withFile } from "../../../databases/sqlite/database.ts";
import type { RolloutOutcome } from "../../../scripts/pulumi/roll-out.ts";
import { timelineLines } from "../../../scripts/verbs/timeline.ts";
import { begin, DATABASE, makeStand, NEWER, PINS, planOf, type Stand } from "./sqlite-stand.ts";

const RESTORE: DataAction = { kind: "restore", snapshot: "before-v2", generation: 1, again: 0 };

let stand: Stand;
let snapshot: Snapshot;
beforeEach(async () => {
  stand = makeStand();
  snapshot = await written();
});
afterEach(async () => stand.end());

const sql = (text: string): void => withFile(stand.live, {}, (db) => db.exec(text));
const look = (text: string): unknown[] => withFile(stand.live, { readOnly: true }, (db) => all(db, text));
const orders = (): unknown[] => look("SELECT id, label FROM orders ORDER BY id");

/** A release over a snapshot, in which users write; one of them an order of a customer nobody knows. */
async function written(): Promise<Snapshot> {
  const first = await stand.run(1);
  await sqlite.make(first, DATABASE);
  await sqlite.migrate(first, DATABASE, PINS, planOf({ kind: "create" }));
  await sqlite.admit(first, DATABASE, "everybody");
  sql(
    "INSERT INTO customers VALUES (1, 'A'); INSERT INTO orders (id, customer, amount, label) VALUES (1, 1, 1.5, 'one'), (2, 1, 0, 'Two')",
  );
  const run = await stand.run(2);
  await sqlite.keepProperties(run, DATABASE, true);
  await sqlite.close(run, DATABASE);
  const begun = await run.state.beginSnapshot(
    { database: DATABASE, name: "before-v2", driver: sqlite.driver(run), epoch: 2, release: "v1", automatic: true },
    (generation) => sqlite.snapshotLocation(run, DATABASE, "before-v2", generation),
  );
  await run.state.finishSnapshot(begun.id, { ...(await sqlite.takeSnapshot(run, begun, false)), baseline: null });
  await sqlite.migrate(run, DATABASE, NEWER, planOf({ kind: "none" }));
  await sqlite.admit(run, DATABASE, "everybody");
  sql(
    `INSERT INTO orders (id, customer, amount, label) VALUES (3, 1, 9, 'three'), (4, 77, 1, 'nobody''s'); UPDATE orders SET label = 'ONE' WHERE id = 1;
     DELETE FROM orders WHERE id = 2; INSERT INTO notes VALUES ('n', x'00ff')`,
  );
  return (await run.state.readySnapshots())[0]!;
}

async function started(): Promise<Run> {
  const run = await stand.run(3);
  await sqlite.keepProperties(run, DATABASE, true);
  await begin(run, planOf(RESTORE));
  await sqlite.makeStandby(run, snapshot);
  return run;
}

async function brought(run: Run): Promise<Reapplied> {
  await sqlite.close(run, DATABASE);
  await bringData(run, DATABASE, PINS, planOf(RESTORE), "reapply");
  await sqlite.admit(run, DATABASE, "everybody");
  return (await run.state.kept<Reapplied>(reappliedKey(3, DATABASE)))!;
}

const NOTHING: RolloutOutcome = {
  ok: true,
  unchanged: false,
  corrected: false,
  runId: "r-1",
  epoch: 3,
  state: "open",
  scope: null,
  from: "v2",
  to: "v1",
  seconds: 1,
  cutOverMs: null,
  quarantine: null,
  wentAlong: [],
  phases: [],
  checks: [],
  exported: [],
  putBack: [],
  completion: null,
  evidence: null,
  failure: null,
  reason: null,
  refused: false,
  up: "pulumi up",
};

const PUT_BACK = {
  tables: {
    orders: { inserted: 1, updated: 1, deleted: 1, unchanged: 0, conflicts: 1 },
    // Two orders came, and a trigger wrote a visit for each; it does not write another one for the order that is put back.
    visits: { inserted: 2, updated: 0, deleted: 0, unchanged: 0, conflicts: 0 },
  },
  notHeld: { tables: { notes: 1 }, columns: {} },
  conflicts: 1,
  counts: { customers: 1, orders: 2, visits: 4 },
};
const AFTER = [
  { id: 1, label: "ONE" },
  { id: 3, label: "three" },
];

test("killed with everything put back and nothing kept: nothing of it has happened, and a second run puts all of it back once", async () => {
  // More than SQLite keeps in memory: what is not kept yet is on disk already.
  sql(
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO customers SELECT 100 + i, printf('%1000d', i) FROM n",
  );
  const run = await started();
  await killedAt("data.put-back");
  const seen = await sqlite.facts(await stand.run(3), DATABASE);
  expect([seen.lineage.snapshot?.name, seen.applied]).toEqual(["before-v2", ["1_orders"]]);
  const done = await brought(run);
  expect(done).toMatchObject({ ...PUT_BACK, counts: { ...PUT_BACK.counts, customers: 3001 } });
  expect(orders()).toEqual(AFTER);
  expect(await countsAfterReapply(run, 3)).toEqual(done.counts);
  const clashes = readFileSync(done.conflictFile!, "utf8").trim().split("\n");
  expect(clashes.map((line) => JSON.parse(line) as object)).toMatchObject([
    { table: "orders", op: "insert", key: { id: "4" }, reason: "missing parent", detail: expect.stringContaining("customer 77") as string },
  ]);
  expect(stand.said.join("\n")).toMatch(/1 row of shop clashes with what was restored and was left out/);
  expect(stand.said.join("\n")).toMatch(/1 row of shop: notes is in the export only/);
  // Whoever asks later is told the same, by table and in words.
  const [told] = await reappliedBy(run, 3);
  expect(told).toMatchObject({ database: DATABASE, conflicts: 1, conflictFile: done.conflictFile, notHeld: { tables: { notes: 1 } } });
  expect(told!.leftOut).toHaveLength(2);
  const lines = timelineLines({ ...NOTHING, putBack: [told!] }).join("\n");
  expect(lines).toMatch(
    /put back into shop: 3003 inserted, 1 updated, 1 deleted, 0 unchanged\n.*1 row of shop clashes.*\n.*notes is in the export only/,
  );
  const kept = (await run.state.exports(3)).map(({ path }) => readFileSync(path, "utf8")).join("");
  for (const text of ["nobody's", "three", "\\\\x00ff"]) expect(kept).toContain(text);
});

test("what services did with the rows is not undone by a run that is started again", async () => {
  const run = await started();
  const done = await brought(run);
  expect(orders()).toEqual(AFTER);
  sql("DELETE FROM orders WHERE id = 3; UPDATE orders SET label = 'later' WHERE id = 1");
  expect(await brought(run)).toEqual(done);
  expect(orders()).toEqual([{ id: 1, label: "later" }]);
});

test("a rollout that goes on where one failed before anything was put back puts it back; only what was not counts as lost", async () => {
  const run = await started();
  await sqlite.close(run, DATABASE);
  await sqlite.cutOver(run, DATABASE, RESTORE, snapshot);
  // Its pins changed meanwhile, and the data is where they say.
  const next = await stand.run(4);
  await begin(next, planOf({ kind: "none" }));
  await sqlite.close(next, DATABASE);
  for (const again of ["first", "again"]) {
    await bringData(next, DATABASE, PINS, planOf({ kind: "none" }), "reapply");
    expect(await countsAfterReapply(next, 4), again).toEqual(PUT_BACK.counts);
  }
  await sqlite.admit(next, DATABASE, "everybody");
  expect(orders()).toEqual(AFTER);
  const { epoch } = await movedData(next, DATABASE);
  expect(epoch).toBe(3);
  const exported = (await next.state.exports(3)).filter(({ path }) => path.endsWith(".jsonl")).reduce((sum, { rows }) => sum + rows, 0);
  // The order of nobody's, and the note that has no table.
  expect(exported - (await rowsPutBack(next, epoch, DATABASE))).toBe(2);
});

test("a file that was too damaged to be compared is set aside, nothing is put back, and that is said", async () => {
  const run = await started();
  for (const beside of ["-wal", "-shm"]) rmSync(stand.live + beside, { force: true });
  writeFileSync(stand.live, "this is no database, whatever its name says; it was overwritten by something else".repeat(100));
  await sqlite.close(run, DATABASE);
  await bringData(run, DATABASE, PINS, planOf(RESTORE), "reapply");
  await sqlite.admit(run, DATABASE, "everybody");
  expect(orders()).toEqual([
    { id: 1, label: "one" },
    { id: 2, label: "Two" },
  ]);
  expect(await countsAfterReapply(run, 3)).toEqual({});
  expect(stand.said.join("\n")).toMatch(/nothing is put back into shop: rows written since are not known/);
});

/** A process that brings the data and is killed where it waits. */
async function killedAt(point: string): Promise<void> {
  const folder = join(stand.folder, "points");
  mkdirSync(folder, { recursive: true });
  const path = fileURLToPath(new URL("./sqlite-child.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", path, stand.folder, "3", JSON.stringify(RESTORE), "reapply"],
    { env: { ...process.env, BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: folder }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  while (!existsSync(join(folder, `${point}.reached`))) {
    if (child.exitCode !== null) throw new Error(`it ended before ${point}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
