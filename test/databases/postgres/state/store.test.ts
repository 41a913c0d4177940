/** The state database on a real server: rollouts, journal, lock, catalogue, lineage. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { catalogue, catalogued, liveLineage, NO_LINEAGE } from "../../../../databases/postgres/state/catalogue.ts";
import { stateDatabaseName } from "../../../../config/names.ts";
import { finished } from "../../../../config/journal.ts";
import { LockedError, OldStateError } from "../../../../config/record.ts";
import { connect } from "../../../../databases/postgres/connection.ts";
import { STATE_SCHEMA } from "../../../../databases/postgres/state/schema.ts";
import { PostgresState } from "../../../../databases/postgres/state/store.ts";
import { unfinished } from "../../../../rollout/inspect.ts";
import { rolloutOf } from "../../../../config/pins.ts";
import { UnreachableError } from "../../../../databases/shared/unreachable.ts";
import { quote } from "../../../../databases/shared/identifiers.ts";
import { startServer, type TestServer } from "../embedded.ts";
import { pinsOf } from "../../../config/sample.ts";
import { plan } from "../../../rollout/sample.ts";
import { freePort } from "../../../support/free-port.ts";

let server: TestServer;
let store: PostgresState;
beforeAll(async () => {
  server = await startServer();
  store = await PostgresState.create(server.endpoint, "shop_backout");
});
afterAll(async () => {
  await store?.end();
  await server?.remove();
});

const pins = pinsOf({ data: "before-v4.0.0@1", services: { worker: { config: { LIMIT: "1" } } } });
const rollout = (epoch: number) => ({
  epoch,
  rollout: rolloutOf(pins),
  pins,
  plan: plan(pinsOf()),
  runId: `run-${epoch}`,
  reason: epoch === 1 ? "INCIDENT-7" : null,
});

describe("the state database", () => {
  it("looked for, it is not made; without a server it says so", async () => {
    expect(await PostgresState.open(server.endpoint, "nothing_backout")).toBeNull();
    // Made, but by a run that was killed before its tables were there.
    await server.database("half_backout");
    expect(await PostgresState.open(server.endpoint, "half_backout")).toBeNull();
    const port = await freePort();
    await expect(PostgresState.open({ ...server.endpoint, port }, "shop_backout")).rejects.toThrow(UnreachableError);
  });

  it("made twice and at the same time, it is one, closed to everybody else", async () => {
    const stores = await Promise.all([1, 2, 3].map(() => PostgresState.create(server.endpoint, "both_backout")));
    for (const one of stores) expect(await one.lastRollout()).toBeNull();
    await Promise.all(stores.map((one) => one.end()));
    const { rows } = await server.admin.query("SELECT has_database_privilege('public', 'both_backout', 'CONNECT') AS open");
    expect(rows).toEqual([{ open: false }]);
  });

  it("made by an older version, it is refused, also to be looked at, and stays as it is", async () => {
    await server.database("old_backout");
    const client = await connect(server.endpoint, "old_backout");
    await client.query("CREATE TABLE journal (id bigserial PRIMARY KEY, epoch int, run_id text, phase text, step text)");
    await client.query(`CREATE SCHEMA ${STATE_SCHEMA} CREATE TABLE journal (id bigserial PRIMARY KEY, step text)`);
    for (const opening of ["create", "open", "createInside", "openInside"] as const)
      await expect(PostgresState[opening](server.endpoint, "old_backout")).rejects.toThrow(OldStateError);
    const { rows } = await client.query(
      "SELECT to_regclass('rollouts') AS made, has_database_privilege('public', 'old_backout', 'CONNECT') AS open",
    );
    expect(rows).toEqual([{ made: null, open: true }]);
    await client.end();
  });

  it("what is asked at once is asked one after another, also after a question that failed", async () => {
    const one = await PostgresState.create(server.endpoint, "shop_backout");
    const query = one.client.query.bind(one.client) as (...given: unknown[]) => Promise<unknown>;
    let [under, most] = [0, 0];
    one.client.query = (async (...given: unknown[]) => {
      most = Math.max(most, ++under);
      return query(...given).finally(() => under--);
    }) as typeof one.client.query;
    const asked = await Promise.allSettled([one.journal(1), one.journal(NaN), one.exports(1), one.lastRollout()]);
    expect(asked.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(most).toBe(1);
    await one.end();
  });

  it("its name fits however long the live one is", () => {
    expect(stateDatabaseName("pfa")).toBe("pfa_backout");
    expect(Buffer.byteLength(stateDatabaseName("x".repeat(63)))).toBeLessThanOrEqual(63);
  });
});

describe("rollouts", () => {
  it("from the first word to open; pins come back as the same rollout", async () => {
    await store.beginRollout(rollout(1));
    const begun = (await store.lastRollout())!;
    expect(begun).toMatchObject({
      epoch: 1,
      state: "closing",
      openedAt: null,
      recordedAt: null,
      failure: null,
      reason: "INCIDENT-7",
      pins,
    });
    expect(rolloutOf(begun.pins)).toBe(begun.rollout);
    expect(unfinished(begun)).toBe(true);
    expect(await store.lastOpenRollout()).toBeNull();
    await store.setFailure(1, "verify: 14 checks");
    expect((await store.rollout(1))!.failure).toBe("verify: 14 checks");
    for (const state of ["closed", "verified", "open"] as const) await store.setState(1, state);
    await store.setRecorded(1);
    const opened = (await store.lastOpenRollout())!;
    expect(await store.openings()).toEqual([{ epoch: opened.epoch, pins: opened.pins }]);
    expect(opened).toMatchObject({ epoch: 1, state: "open", failure: null });
    expect([opened.openedAt, opened.recordedAt].every((at) => at !== null)).toBe(true);
    expect(unfinished(opened)).toBe(false);
  });

  it("opened a second time, it keeps the time of the first", async () => {
    const { openedAt } = (await store.rollout(1))!;
    await store.setState(1, "open");
    expect((await store.rollout(1))!.openedAt).toBe(openedAt);
  });

  it("begun again, it is closed again, with its record kept", async () => {
    await store.beginRollout({ ...rollout(1), runId: "another" });
    expect(await store.rollout(1)).toMatchObject({ state: "closing", openedAt: null, recordedAt: null, runId: "run-1" });
    await store.setState(1, "open");
  });

  it("a refused one is finished without having opened", async () => {
    await store.beginRollout(rollout(2));
    await store.setState(2, "refused");
    const last = (await store.lastRollout())!;
    expect([last.epoch, unfinished(last), (await store.lastOpenRollout())!.epoch]).toEqual([2, false, 1]);
    expect((await store.rollouts(1)).map(({ epoch }) => epoch)).toEqual([2]);
  });

  it("a baseline is the first one; its counts come later", async () => {
    const baseline = { at: "2025-11-28T00:00:00.000Z", release: "v4.0.0", counts: {}, latencyMs: 2.5, flags: { sync: true } };
    await store.setCounts(2, { users: 1 });
    expect((await store.rollout(2))!.baseline).toBeNull();
    await store.setBaseline(2, baseline);
    await store.setBaseline(2, { ...baseline, release: "half down" });
    await store.setCounts(2, { users: 3 });
    expect((await store.rollout(2))!.baseline).toEqual({ ...baseline, counts: { users: 3 } });
  });

  it("the journal is in the order of what happened", async () => {
    const entry = { epoch: 2, runId: "run-2", phase: "fence", kind: "count", step: "count" } as const;
    await store.note({ ...entry, status: "started" });
    await store.note({ ...entry, status: "finished", durationMs: 12.5, detail: { shops: 3 } });
    await store.note({ ...entry, kind: "stop", step: "stop all", status: "failed", detail: { error: "no", gateClosed: true } });
    const journal = await store.journal(2);
    expect(journal.map(({ kind, step, status, durationMs, detail }) => [kind, step, status, durationMs, detail])).toEqual([
      ["count", "count", "started", undefined, null],
      ["count", "count", "finished", 12.5, { shops: 3 }],
      ["stop", "stop all", "failed", undefined, { error: "no", gateClosed: true }],
    ]);
    expect(finished(journal, "count").map(({ detail }) => detail)).toEqual([{ shops: 3 }]);
    expect(await store.journal(99)).toEqual([]);
  });
});

describe("the lock", () => {
  it("keeps another run out and says who holds it, until that one ends", async () => {
    const [first, second] = [
      await PostgresState.create(server.endpoint, "lock_backout"),
      await PostgresState.create(server.endpoint, "lock_backout"),
    ];
    try {
      await first.lock({ runId: "run-1", pid: 4711 }, 0);
      const refused = second.lock({ runId: "run-2" }, 150);
      await expect(refused).rejects.toThrow(LockedError);
      await expect(refused).rejects.toThrow(/another run holds the lock.*"pid":4711.*wait for it to end/);
      const waiting = second.lock({ runId: "run-2", pid: 4712 }, 30_000);
      await first.end();
      await waiting;
      const third = await PostgresState.create(server.endpoint, "lock_backout");
      await expect(third.lock({ runId: "run-3" }, 0)).rejects.toMatchObject({ holder: { runId: "run-2", pid: 4712 } });
      await third.end();
    } finally {
      await first.end();
      await second.end();
    }
  });
});

describe("standby", () => {
  it("one at a time, also where several parts of one process are at it, and also where the one before failed", async () => {
    const said: string[] = [];
    const make = (name: string) =>
      store.whileMakingStandby(async () => {
        said.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 100));
        said.push(`${name} ends`);
        if (name === "first") throw new Error("its own");
      });
    const first = make("first");
    const second = make("second");
    await expect(first).rejects.toThrow("its own");
    await second;
    expect(said).toEqual(["first begins", "first ends", "second begins", "second ends"]);
  });
});

describe("snapshots", () => {
  const wanted = { database: "pfa", name: "before-v4.0.0", driver: "template", release: "v3.0.0", automatic: true };
  const begin = (epoch: number, name = wanted.name) =>
    store.beginSnapshot({ ...wanted, name, epoch }, (generation) => `${name}_${generation}`);
  const finish = (id: number) =>
    store.finishSnapshot(id, { manifest: { tables: {} }, statistics: null, baseline: null, sizeBytes: 5_000_000_000 });

  it("a name used before gets the next generation, also when the one before was never finished or is gone", async () => {
    const first = await begin(3);
    expect(first).toMatchObject({ generation: 1, location: "before-v4.0.0_1", state: "making", sizeBytes: null });
    const second = await begin(4);
    await finish(second.id);
    expect((await store.readySnapshots()).map(({ name, generation, sizeBytes }) => [name, generation, sizeBytes])).toEqual([
      ["before-v4.0.0", 2, 5_000_000_000],
    ]);
    // Nobody goes back to what is half removed, and nothing of it is forgotten before all of it is gone.
    await store.setSnapshotState(second.id, "removing");
    expect(await store.readySnapshots()).toEqual([]);
    expect((await store.remainders(4)).map(({ id, state }) => [id, state])).toEqual([
      [first.id, "making"],
      [second.id, "removing"],
    ]);
    expect((await store.remainders(3)).map(({ id }) => id)).toEqual([second.id]);
    await store.setSnapshotState(second.id, "removed");
    expect(await store.remainders(3)).toEqual([]);
    expect((await begin(5)).generation).toBe(3);
    expect((await begin(5, "audit")).generation).toBe(1);
  });

  it("a rollout finds its own again after a kill", async () => {
    expect(await store.snapshotOfEpoch("pfa", "before-v4.0.0", 3)).toMatchObject({ generation: 1, state: "making" });
    expect(await store.snapshotOfEpoch("pfa", "before-v4.0.0", 99)).toBeNull();
  });
});

describe("what is kept", () => {
  it("stays as first said until it is forgotten", async () => {
    expect(await store.kept("originals")).toBeNull();
    expect(await store.keepFirst("originals", { editor: "write", viewer: null })).toEqual({ editor: "write", viewer: null });
    expect(await store.keepFirst("originals", { editor: "read_only" })).toEqual({ editor: "write", viewer: null });
    await store.forget("originals");
    expect(await store.kept("originals")).toBeNull();
  });
});

describe("lineage", () => {
  const lineage = { snapshot: { name: "before-v4.0.0", generation: 2, again: 1 }, quarantine: null };
  const entry = (name: string) => ({ name, database: "pfa", role: "live" as const, lineage, snapshotId: null, epoch: 3 });

  it("belongs to the database, not to its name", async () => {
    for (const name of ["lived", "fresh"]) await server.database(name);
    await catalogue(store.client, entry("lived"));
    expect(await liveLineage(store.client, "lived")).toMatchObject({ exists: true, lineage });
    await server.admin.query(`ALTER DATABASE ${quote("lived")} RENAME TO ${quote("set_aside")}`);
    await server.admin.query(`ALTER DATABASE ${quote("fresh")} RENAME TO ${quote("lived")}`);
    // What bears the name now was never touched by backout.
    expect(await liveLineage(store.client, "lived")).toMatchObject({ exists: true, lineage: NO_LINEAGE });
    expect(await catalogued(store.client)).toMatchObject([{ name: "set_aside", role: "live", lineage }]);
  });

  it("entered again it changes, and a database that is gone is no longer catalogued", async () => {
    await catalogue(store.client, { ...entry("set_aside"), role: "quarantine", epoch: 4, verified: { rows: 3 } });
    const [changed] = await catalogued(store.client);
    expect(changed).toMatchObject({ name: "set_aside", role: "quarantine", epoch: 4, verified: { rows: 3 } });
    await server.admin.query(`DROP DATABASE ${quote("set_aside")}`);
    expect(await catalogued(store.client)).toEqual([]);
    await store.forgetDatabase(changed!.oid);
    expect(await liveLineage(store.client, "set_aside")).toEqual({ exists: false, lineage: NO_LINEAGE, oid: null });
    await catalogue(store.client, entry("never_there"));
    expect(await catalogued(store.client)).toEqual([]);
  });
});
