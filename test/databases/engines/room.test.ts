/** Room is looked for before anything is copied: a disk that is full in the middle of a copy stops the whole server. */
import { existsSync, readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { postgres, sqlite, type WholeEngine } from "./whole.ts";
import { copiesFolder } from "../../../databases/sqlite/engine/places.ts";
import { RolloutRefusedError } from "../../../rollout/run.ts";
import type { Run } from "../../../config/run.ts";
import { takeSnapshots } from "../../../rollout/steps/snapshot.ts";
import type * as DiskSpace from "../../../processes/disk-space.ts";
import { InsufficientSpaceError, type FreeSpace } from "../../../processes/disk-space.ts";
import type { Snapshot } from "../../../config/record.ts";
import type { Server } from "../../../config/site.ts";
import { withSession } from "../../../databases/postgres/connection.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { DATABASE, makeStand as makePostgres, type Stand as PostgresStand } from "./postgres-stand.ts";
import { makeStand as makeSqlite, PINS, planOf, type Stand as SqliteStand } from "./sqlite-stand.ts";

/** How much the disk has free; null: as much as it really has. Everything else is real. */
const disk = vi.hoisted(() => ({ freeBytes: null as number | null }));
vi.mock("../../../processes/disk-space.ts", async (original) => {
  const real = await original<typeof DiskSpace>();
  const freeAt = (path: string): Promise<FreeSpace> =>
    disk.freeBytes === null ? real.freeAt(path) : Promise.resolve({ known: true, freeBytes: disk.freeBytes, path });
  return { ...real, freeAt };
});
afterEach(() => void (disk.freeBytes = null));

/** Of a whole disk nothing is copied; with room again the same work is done. */
async function refusedOnFullDisk(work: () => Promise<unknown>): Promise<void> {
  disk.freeBytes = 4096;
  await expect(work()).rejects.toThrow(InsufficientSpaceError);
  disk.freeBytes = null;
}

/** Begins a snapshot, as the step does. */
async function begun(engine: WholeEngine, run: Run, name = "before-v2"): Promise<Snapshot> {
  return run.state.beginSnapshot(
    { database: DATABASE, name, driver: engine.driver(run), epoch: run.epoch, release: "v1", automatic: true },
    (generation) => engine.snapshotLocation(run, DATABASE, name, generation),
  );
}

/** A server of the file's own and a stack on it, for the tests of one group. */
function postgresStand(): { server: OwnServer; stand: PostgresStand } {
  const on = {} as { server: OwnServer; stand: PostgresStand };
  beforeAll(async () => {
    on.server = await ownServer();
    const { host, port, user, passwordFile } = on.server.endpoint;
    const declared: Server = { embedded: false, host, port, user, passwordFile: passwordFile!, driver: "template", databases: {} };
    on.stand = await makePostgres(declared, (run) => postgres.make(run, DATABASE));
  }, 120_000);
  afterAll(async () => {
    await on.stand.end();
    await on.server.remove();
  });
  return on;
}

describe("a PostgreSQL database", () => {
  const on = postgresStand();

  const databases = async (): Promise<string[]> =>
    withSession(on.server.endpoint, "postgres", async (client) =>
      (await client.query<{ name: string }>("SELECT datname AS name FROM pg_database ORDER BY 1")).rows.map(({ name }) => name),
    );

  test("a snapshot and its copy are refused on a full disk, before there is anything of them", async () => {
    const { run, snapshot } = await on.stand.left();
    const before = await databases();
    await refusedOnFullDisk(() => postgres.requireRoom(run, [DATABASE], []));
    await postgres.requireRoom(run, [DATABASE], [snapshot]);
    await refusedOnFullDisk(() => postgres.requireRoom(run, [], [snapshot]));

    const next = await begun(postgres, run, "before-v3");
    await refusedOnFullDisk(() => postgres.takeSnapshot(run, next, false));
    await refusedOnFullDisk(() => postgres.makeStandby(run, snapshot));
    expect(await databases()).toEqual(before);
    expect((await run.state.catalogued()).filter(({ role }) => role === "standby")).toEqual([]);

    // The plan asks for as much as the snapshot does: room for the copy alone is not enough where all of it goes through the log, too.
    const [size] = await withSession(
      on.server.endpoint,
      "postgres",
      async (client) => (await client.query<{ bytes: string }>("SELECT pg_database_size($1) AS bytes", [DATABASE])).rows,
    );
    disk.freeBytes = Math.ceil(Number(size!.bytes) * 1.5);
    await expect(postgres.requireRoom(run, [DATABASE], [])).rejects.toThrow(InsufficientSpaceError);
    await expect(postgres.takeSnapshot(run, next, false)).rejects.toThrow(InsufficientSpaceError);
    disk.freeBytes = Number(size!.bytes) * 3;
    await postgres.requireRoom(run, [DATABASE], []);

    await postgres.takeSnapshot(run, next, false);
    disk.freeBytes = null;
    const { name } = await postgres.makeStandby(run, snapshot);
    expect((await databases()).filter((one) => !before.includes(one)).sort()).toEqual([name, next.location].sort());
  });
});

describe("room that was there for the plan and is gone in the fence", () => {
  const on = postgresStand();

  test("everything runs again, and nothing failed: the rollout is refused", async () => {
    const { run } = await on.stand.left();
    disk.freeBytes = 4096;
    const taking = takeSnapshots(run, [{ name: "before-v3", automatic: true }]);
    await expect(taking).rejects.toThrow(RolloutRefusedError);
    await expect(taking).rejects.toThrow(
      /^not enough space at \S+: \d+\.\d MB needed with margin, 0\.0 MB free\. Nothing was copied\..*Everything runs again$/,
    );
    expect((await run.state.rollout(3))?.state).toBe("refused");
    expect((await run.state.journal(3)).filter(({ status }) => status === "failed")).toEqual([]);
    expect(await on.stand.sql("SELECT id FROM notes ORDER BY id"), "it may be connected to again").toEqual([{ id: 1 }, { id: 2 }]);
  });
});

describe("a SQLite file", () => {
  let stand: SqliteStand;
  beforeEach(() => void (stand = makeSqlite()));
  afterEach(async () => stand.end());

  test("a snapshot and its copy are refused on a full disk, before there is anything of them", async () => {
    const first = await stand.run(1);
    await sqlite.make(first, DATABASE);
    await sqlite.migrate(first, DATABASE, PINS, planOf({ kind: "create" }));
    await sqlite.admit(first, DATABASE, "everybody");
    const run = await stand.run(2);
    await sqlite.keepProperties(run, DATABASE, true);
    await sqlite.close(run, DATABASE);
    const begunOne = await begun(sqlite, run);
    await refusedOnFullDisk(() => sqlite.requireRoom(run, [DATABASE], []));
    await sqlite.requireRoom(run, [DATABASE], []);
    await refusedOnFullDisk(() => sqlite.takeSnapshot(run, begunOne, false));
    expect(existsSync(begunOne.location)).toBe(false);

    await run.state.finishSnapshot(begunOne.id, { ...(await sqlite.takeSnapshot(run, begunOne, false)), baseline: null });
    const [snapshot] = await run.state.readySnapshots();
    await expect(sqlite.requireRoom(run, [], [{ ...snapshot!, sizeBytes: 2 ** 60 }])).rejects.toThrow(InsufficientSpaceError);
    const copies = copiesFolder(stand.site, DATABASE);
    await refusedOnFullDisk(() => sqlite.makeStandby(run, snapshot!));
    expect(existsSync(copies) ? readdirSync(copies) : []).toEqual([]);
    await sqlite.makeStandby(run, snapshot!);
    expect(readdirSync(copies)).toHaveLength(1);
  });
});
