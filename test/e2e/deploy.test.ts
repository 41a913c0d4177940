/** Deployments that go wrong, and what `deploy` does about them by itself. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CrossingOutcome } from "../../scripts/cross.ts";
import type { DeployOutcome } from "../../scripts/verbs/deploy.ts";
import { SYNC_MIGRATION } from "../../systems/pfa-vanguard/database.ts";
import { definitionWithMigration, ledgerEntry, makeRelease } from "./releases.ts";
import { makeStand, until, type Stand } from "./stand.ts";

const MIGRATION = "20260101000004_notes";
const HALF =
  "CREATE TABLE notes (id bigint PRIMARY KEY);\nALTER TABLE pfa_records ADD COLUMN note text;\nALTER TABLE no_such_table ADD COLUMN note text;\n";
const WHOLE = "CREATE TABLE notes (id bigint PRIMARY KEY);\nALTER TABLE pfa_records ADD COLUMN note text;\n";
const ROWS = ["D-1", "D-2", "D-3"];

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand({ definition: (folder) => definitionWithMigration(folder, MIGRATION, HALF) });
  await stand.upWell();
  await stand.insertWell(...ROWS);
});
afterAll(() => stand?.destroy());

const deploy = (release: string, ...more: string[]) => stand.verb<DeployOutcome>("deploy", release, "--yes", ...more);

/** What must be so after `deploy` has gone back by itself. */
async function expectBack(release: string, failed: string, { code, json, stderr }: Awaited<ReturnType<typeof deploy>>): Promise<void> {
  expect(code, stderr).toBe(1);
  expect(json.ok).toBe(false);
  expect(json.failure, stderr).toBeTruthy();
  expect(json.rolledBack, stderr).toMatchObject({ ok: true, to: release, failure: null });
  expect(await stand.version()).toBe(release);
  expect(await stand.frontendVersion()).toBe(release);
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.ids()).toEqual(ROWS);
  expect(stand.pids().worker).not.toBeNull();
  expect(stand.text()).toMatch(new RegExp(`backout:blocked:[^]*${failed.replaceAll(".", "\\.")}: ["']?${json.runId}`));
  expect(stand.text()).toMatch(new RegExp(`backout:release: ${release}\n`));
  expect((await stand.upWell()).counts["updated"] ?? 0).toBe(0);
}

test("a deployment: the snapshot is taken inside the fence and armed, the baseline is kept", async () => {
  const { code, json, stderr } = await deploy("v4.0.0");
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ ok: true, from: "v3.0.0", to: "v4.0.0", armed: true, rolledBack: null, failure: null });
  expect(await stand.version()).toBe("v4.0.0");
  const [snapshot] = await stand.snapshots();
  expect(snapshot).toMatchObject({
    name: "before-v4.0.0",
    generation: 1,
    release: "v3.0.0",
    baseline: { release: "v3.0.0", counts: { pfa_records: 3 } },
  });
  expect(snapshot?.baseline?.latencyMs).toBeGreaterThan(0);
});

describe("a migration that fails half-way", () => {
  test("the previous version runs again, on its own data", async () => {
    const folder = makeRelease(stand.folder, { from: "v4.0.0", version: "v4.1.0" });
    const outcome = await deploy("v4.1.0", "--from", folder, "--schema", MIGRATION);
    await expectBack("v4.0.0", "v4.1.0", outcome);
    expect(outcome.json.failure).toMatch(/no_such_table/);
    expect(await stand.sql("SELECT to_regclass('notes') AS notes")).toEqual([{ notes: null }]);
    expect(
      await stand.sql("SELECT FROM _prisma_migrations WHERE migration_name = $1 AND finished_at IS NOT NULL AND rolled_back_at IS NULL", [
        MIGRATION,
      ]),
    ).toEqual([]);
    expect((await stand.lineage()).snapshot).toMatchObject({ name: "before-v4.1.0", generation: 1 });
  });

  test("again: refused while it is blocked, naming why; once mended and lifted it works, with a snapshot of its own", async () => {
    const refused = await stand.verb<{ error: { message: string } }>("deploy", "v4.1.0", "--yes");
    expect(refused.code).toBe(3);
    expect(refused.json.error.message).toMatch(/v4\.1\.0.* blocked by deploy-\S+: /s);
    expect(await stand.version()).toBe("v4.0.0");

    writeFileSync(join(stand.folder, "migrations", MIGRATION, "migration.sql"), WHOLE);
    stand.pin([{ path: ["blocked", "v4.1.0"], value: undefined }]);
    const { code, json, stderr } = await deploy("v4.1.0");
    expect(code, stderr).toBe(0);
    expect(json).toMatchObject({ ok: true, armed: true });
    expect(await stand.version()).toBe("v4.1.0");
    expect(await stand.ids()).toEqual(ROWS);
    const generations = (await stand.snapshots()).filter(({ name }) => name === "before-v4.1.0").map(({ generation }) => generation);
    expect(generations).toEqual([1, 2]);
  });
});

test("a process that never gets healthy: the previous version runs again", async () => {
  const folder = makeRelease(stand.folder, {
    from: "v4.0.0",
    version: "v4.2.0",
    alter: (component, text) => (component === "backend" ? `throw new Error("defect of this build");\n${text}` : text),
  });
  const outcome = await deploy("v4.2.0", "--from", folder, "--schema", SYNC_MIGRATION);
  await expectBack("v4.1.0", "v4.2.0", outcome);
  expect(outcome.json.failure).toMatch(/defect of this build/);
  expect(outcome.json.phases.find(({ name }) => name === "resume")?.status).toBe("failed");
});

test("a verification that fails: the previous version runs again, and users never saw the new one", async () => {
  const folder = makeRelease(stand.folder, {
    from: "v4.0.0",
    version: "v4.3.0",
    alter: (component, text) => (component === "backend" ? text.replace(/^ +\.\.\.recordRoutes.*\n/m, "") : text),
  });
  stand.pin([await ledgerEntry(folder, "v4.3.0", MIGRATION)]);
  const seen = new Set<string | null>();
  let going = true;
  const watch = (async () => {
    while (going) seen.add(await stand.version());
  })();
  const outcome = await deploy("v4.3.0").finally(() => (going = false));
  await watch;
  await expectBack("v4.1.0", "v4.3.0", outcome);
  expect(outcome.json.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toContain("read");
  expect([...seen].sort()).toEqual([null, "v4.1.0"].sort());
});

test("`--on-failure stop` leaves the gate closed and says what to run; pinning the previous release opens it", async () => {
  const text = stand.text();
  stand.pin([{ path: ["blocked", "v4.2.0"], value: undefined }]);
  const { code, json, stderr } = await deploy("v4.2.0", "--on-failure", "stop");
  expect(code, stderr).toBe(1);
  expect(json).toMatchObject({ ok: false, rolledBack: null, refused: false });
  expect(json.failure).toMatch(/The gate stays closed: .*pin the previous release and run `pulumi up`/);
  expect(stand.gate()?.mode).toBe("closed");
  expect(await stand.version()).toBeNull();
  expect((await stand.ask("/health")).status).toBe(503);
  expect(stand.text()).toMatch(/backout:release: v4\.2\.0\n/);
  const status = await stand.verb<{ crossing: { unfinished: boolean; failure: string } }>("status");
  expect(status.json.crossing).toMatchObject({ unfinished: true, failure: expect.stringMatching(/^resume: /) as string });

  stand.write(text);
  await stand.upWell();
  expect(await stand.version()).toBe("v4.1.0");
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.ids()).toEqual(ROWS);
});

test("two at once: the second is refused and says who holds the lock", async () => {
  const lock = join(stand.stack.home, "lock.json");
  const first = stand.verb<CrossingOutcome>("rollback", "--to", "v4.0.0", "--scope", "quick", "--incident", "INC-9", "--yes");
  await until("the first holds the lock", () => existsSync(lock));
  const second = await stand.verb<{ error: { name: string; message: string } }>("deploy", "v4.1.0", "--yes");
  expect(second.code).toBe(3);
  expect(second.json.error).toMatchObject({
    name: "StackLockedError",
    message: expect.stringMatching(/locked by \S+@\S+ \(pid \d+\) since .*: rollback for INC-9, run rollback-/) as string,
  });
  const { code, stderr } = await first;
  expect(code, stderr).toBe(0);
  expect(await stand.version()).toBe("v4.0.0");
  expect(existsSync(lock)).toBe(false);
});
