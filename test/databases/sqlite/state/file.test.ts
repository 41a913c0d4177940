/** The state file: what the state database is for systems whose databases are all files. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileCatalogue } from "../../../../databases/sqlite/state/file-catalogue.ts";
import { SqliteState } from "../../../../databases/sqlite/state/file.ts";
import { DamagedStateError, LockedError, OldStateError } from "../../../../config/record.ts";
import { NO_LINEAGE, type RolloutPlan } from "../../../../config/plan.ts";
import { unfinished } from "../../../../rollout/inspect.ts";
import type { Pins } from "../../../../config/pins.ts";
import { identityOf } from "../../../../databases/sqlite/identity.ts";

let folder: string;
let path: string;
let state: SqliteState;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-state-"));
  path = join(folder, "state", "state.db");
  state = await SqliteState.create(path);
});
afterEach(async () => {
  await state.end();
  rmSync(folder, { recursive: true, force: true });
});

const plan = { scope: "restore", forward: false, fenceData: true, fromRelease: "v2", toRelease: "v1" } as unknown as RolloutPlan;
const rollout = (epoch: number) => ({
  epoch,
  rollout: `hash-${epoch}`,
  pins: { release: "v1" } as Pins,
  plan,
  runId: `run-${epoch}`,
  reason: null,
});

describe("the state file", () => {
  it("looked for, it is not made; made twice, it is one", async () => {
    expect(await SqliteState.open(join(folder, "nothing.db"))).toBeNull();
    writeFileSync(join(folder, "empty.db"), "");
    expect(await SqliteState.open(join(folder, "empty.db"))).toBeNull();
    const other = await SqliteState.create(path);
    await other.beginRollout(rollout(1));
    expect((await state.lastRollout())?.epoch).toBe(1);
    await other.end();
  });

  it("made by an older version, it is refused, also to be looked at, and stays as it is", async () => {
    const old = join(folder, "old.db");
    const db = new DatabaseSync(old);
    db.exec(
      "CREATE TABLE journal (id INTEGER PRIMARY KEY, epoch INTEGER, run_id TEXT, phase TEXT, step TEXT, status TEXT, at TEXT, detail TEXT)",
    );
    db.close();
    const before = readFileSync(old);
    await expect(SqliteState.create(old)).rejects.toThrow(OldStateError);
    await expect(SqliteState.open(old)).rejects.toThrow(OldStateError);
    expect(readFileSync(old).equals(before)).toBe(true);
  });

  it("damaged, it is named", async () => {
    const damaged = join(folder, "damaged.db");
    writeFileSync(damaged, "this was a database once");
    for (const opening of [SqliteState.open(damaged), SqliteState.create(damaged)]) {
      await expect(opening).rejects.toThrow(DamagedStateError);
      await expect(opening).rejects.toThrow(damaged);
    }
    await state.beginRollout(rollout(1));
    await state.note({ epoch: 1, runId: "run-1", phase: "open", kind: "open", step: "let users in", status: "started" });
    state.db.exec("UPDATE rollouts SET pins = '{'; UPDATE journal SET detail = '{'; INSERT INTO kept VALUES ('intent', '{', '')");
    for (const read of [() => state.lastRollout(), () => state.journal(1), () => state.kept("intent"), () => state.rollouts(1)])
      await expect(read()).rejects.toThrow(DamagedStateError);
  });

  it("a rollout from its first word to its record", async () => {
    await state.beginRollout(rollout(1));
    expect(await state.lastRollout()).toMatchObject({ ...rollout(1), state: "closing", openedAt: null });
    const baseline = { at: "2026-01-01T00:00:00.000Z", release: "v2", counts: {}, latencyMs: 2.5, flags: { sync: true } };
    await state.setBaseline(1, baseline);
    await state.setBaseline(1, { ...baseline, release: "half down" });
    await state.setCounts(1, { users: 3 });
    await state.setFailure(1, "verify: 14 checks");
    expect(await state.rollout(1)).toMatchObject({ failure: "verify: 14 checks", baseline: { ...baseline, counts: { users: 3 } } });
    await state.setState(1, "open");
    const opened = (await state.lastOpenRollout())!;
    expect(await state.openings()).toEqual([{ epoch: opened.epoch, pins: opened.pins }]);
    expect([opened.failure, unfinished(opened)]).toEqual([null, false]);
    await state.setState(1, "open");
    expect((await state.rollout(1))!.openedAt).toBe(opened.openedAt);
    expect(await state.earlierSeconds(plan)).toHaveLength(1);
    expect(await state.earlierSeconds({ ...plan, forward: true })).toEqual([]);
    expect(await state.lastForwardAt()).toBeNull();
    await state.beginRollout({ ...rollout(1), runId: "another" });
    expect(await state.rollout(1)).toMatchObject({ state: "closing", openedAt: null, runId: "run-1" });
    await state.note({
      epoch: 1,
      runId: "run-1",
      phase: "fence",
      kind: "count",
      step: "count",
      status: "finished",
      durationMs: 12.5,
      detail: { shops: 3 },
    });
    expect((await state.journal(1)).map(({ kind, step, durationMs, detail }) => [kind, step, durationMs, detail])).toEqual([
      ["count", "count", 12.5, { shops: 3 }],
    ]);
  });

  it("a rollout took what its runs worked at it, not what lay between them; a run after it opened counts for nothing", async () => {
    const own = await SqliteState.create(join(folder, "worked.db"));
    const plan = { scope: "full", forward: false, fenceData: true, fromRelease: "v2", toRelease: "v1" } as RolloutPlan;
    await own.beginRollout({ epoch: 1, rollout: "a", pins: {} as Pins, plan, runId: "killed", reason: null });
    await own.setState(1, "open");
    const at = (runId: string, seconds: number): void =>
      own.db.exec(
        `INSERT INTO journal (epoch, run_id, phase, kind, step, status, at) VALUES (1, '${runId}', 'data', 'make', 'work', 'finished', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '${seconds - 1000} seconds'))`,
      );
    own.db.exec("UPDATE rollouts SET started_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1000 seconds')");
    for (const seconds of [0, 2]) at("killed", seconds);
    for (const seconds of [900, 903.5]) at("again", seconds);
    for (const seconds of [1010, 1020]) at("later", seconds);
    expect(await own.earlierSeconds(plan)).toEqual([expect.closeTo(5.5, 1)]);
    await own.end();
  });

  it("snapshots get the next generation; what is kept first stays, what is kept last replaces", async () => {
    const fresh = { database: "shop", name: "before-v2", driver: "backup", epoch: 1, release: "v1", automatic: true };
    const first = await state.beginSnapshot(fresh, (generation) => `/snapshots/${generation}.db`);
    await state.finishSnapshot(first.id, { manifest: null, statistics: null, baseline: null, sizeBytes: 4096 });
    const second = await state.beginSnapshot({ ...fresh, epoch: 2 }, (generation) => `/snapshots/${generation}.db`);
    expect([first.location, second.location]).toEqual(["/snapshots/1.db", "/snapshots/2.db"]);
    await state.setManifest(first.id, { tables: {} });
    expect(await state.readySnapshots()).toMatchObject([{ id: first.id, automatic: true, sizeBytes: 4096, manifest: { tables: {} } }]);
    expect(await state.keepFirst("originals", { editor: "write" })).toEqual({ editor: "write" });
    expect(await state.keepFirst("originals", { editor: "read_only" })).toEqual({ editor: "write" });
    await state.keep("originals", { editor: "none" });
    expect(await state.kept("originals")).toEqual({ editor: "none" });
    await state.forget("originals");
    expect(await state.kept("originals")).toBeNull();
  });

  it("a file is known by what it is, not by its name: one put in its place has no lineage", async () => {
    const file = join(folder, "live.db");
    writeFileSync(file, "one");
    const lineage = { snapshot: { name: "before-v2", generation: 1, again: 0 }, quarantine: null };
    const entry = { name: "shop", database: "shop", role: "live" as const, lineage, snapshotId: null, epoch: 1, path: file };
    fileCatalogue.enter(state.db, { ...entry, identity: identityOf(file)! });
    expect(await state.catalogued()).toMatchObject([{ name: "shop", role: "live", lineage }]);
    // Written beside and renamed, as editors and copying tools do.
    writeFileSync(`${file}.new`, "another");
    rmSync(file);
    writeFileSync(file, "another");
    expect(await state.catalogued()).toEqual([]);
    expect(fileCatalogue.lineageOf(state.db, identityOf(file)!)).toBeNull();
  });

  it("one holder at a time; making a standby copy waits for the one before", async () => {
    await state.lock({ runId: "one" }, 0);
    const other = await SqliteState.create(path);
    await expect(other.lock({ runId: "two" }, 150)).rejects.toThrow(LockedError);
    await expect(other.lock({ runId: "two" }, 0)).rejects.toThrow(/"runId":"one"/);
    await state.end();
    await other.lock({ runId: "two" }, 0);
    const order: string[] = [];
    await Promise.all([
      other.whileMakingStandby(async () => {
        order.push("first begins");
        await new Promise((resolve) => setTimeout(resolve, 200));
        order.push("first ends");
      }),
      new Promise((resolve) => setTimeout(resolve, 50)).then(() =>
        other.whileMakingStandby(async () => Promise.resolve(void order.push("second"))),
      ),
    ]);
    expect(order).toEqual(["first begins", "first ends", "second"]);
    await other.end();
  });
});

it("a home that was moved by hand has its quarantines and snapshots where it is now", async () => {
  const [before, after] = [join(folder, "home"), join(folder, "moved")];
  const own = await SqliteState.create(join(before, "state", "state.db"));
  const [quarantine, elsewhere] = [join(before, "data", "set-aside.db"), join(folder, "elsewhere.db")];
  mkdirSync(join(before, "data"));
  for (const [name, file] of [
    ["set-aside", quarantine],
    ["elsewhere", elsewhere],
  ] as const) {
    writeFileSync(file, name);
    fileCatalogue.enter(own.db, {
      identity: identityOf(file)!,
      name,
      path: file,
      database: "shop",
      role: "quarantine",
      lineage: NO_LINEAGE,
      snapshotId: null,
      epoch: 1,
    });
  }
  const facts = { database: "shop", name: "before-v2", driver: "backup", epoch: 1, release: "v1", automatic: true };
  const { id } = await own.beginSnapshot(facts, (generation) => join(before, "snapshots", `${generation}.db`));
  await own.finishSnapshot(id, { manifest: null, statistics: null, baseline: null, sizeBytes: 1 });
  await own.end();
  renameSync(before, after);
  const found = (await SqliteState.open(join(after, "state", "state.db")))!;
  expect(fileCatalogue.entries(found.db).map(({ path }) => path)).toEqual([join(after, "data", "set-aside.db"), elsewhere]);
  expect((await found.readySnapshots())[0]!.location).toBe(join(after, "snapshots", "1.db"));
  await found.end();
});
