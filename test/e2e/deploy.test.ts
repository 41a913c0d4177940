/** Deployments that go wrong, and what `deploy` does about them by itself. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import type { StackLockHolder } from "../../scripts/pulumi/stack-lock.ts";
import type { DeployOutcome } from "../../scripts/pulumi/answers.ts";
import type { HistoryEntry } from "../../scripts/verbs/history.ts";
import type { Manifest } from "../../databases/postgres/manifest-shape.ts";
import { SYNC_MIGRATION } from "../../systems/pfa-vanguard/api.ts";
import { definitionWithMigration, ledgerEntry, makeRelease } from "./releases.ts";
import { makeStand, until, type Stand } from "./stand.ts";
import type { Snapshot } from "../../config/record.ts";

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
  expect(json.failure, "it was rolled back").not.toMatch(/The gate stays closed|Users are kept out/);
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

test("a deployment: the snapshot is taken inside the fence and gets its standby copy, the baseline is kept", async () => {
  const { code, json, stderr } = await deploy("v4.0.0");
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ ok: true, from: "v3.0.0", to: "v4.0.0", standby: true, rolledBack: null, failure: null });
  expect(await stand.version()).toBe("v4.0.0");
  const [snapshot] = await stand.snapshots();
  expect(snapshot).toMatchObject({
    name: "before-v4.0.0",
    generation: 1,
    release: "v3.0.0",
    baseline: {
      release: "v3.0.0",
      counts: { users: expect.any(Number) as number, pfa_records: 3, pfa_modification: expect.any(Number) as number },
      flags: { csv_export: true },
      migrations: {
        pfa: {
          applied: ["20250601000001_initial", "20250915000002_forecast_window"],
          unfinished: [],
          unknown: [],
          head: "20250915000002_forecast_window",
        },
      },
    },
  });
  expect(snapshot?.baseline?.latencyMs).toBeGreaterThan(0);
  await expectContentKept(snapshot!);
});

/** Rows, checksums and objects that were kept, against what the pristine copy holds. */
async function expectContentKept({ location, baseline, manifest }: Snapshot): Promise<void> {
  const inside = <R extends object>(text: string) => stand.sql<R & Record<string, unknown>>(text, [], location);
  const kept = manifest as unknown as Manifest;
  const tables = await inside<{ name: string }>("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
  expect(Object.keys(kept.tables).sort()).toEqual(tables.map(({ name }) => name).sort());
  for (const { name } of tables) {
    const [held] = await inside<{ rows: number; checksum: string }>(
      `SELECT count(*)::int AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS checksum FROM ${name} AS t`,
    );
    expect({ table: name, ...kept.tables[name] }).toEqual({ table: name, ...held });
  }
  expect(kept.tables["pfa_records"]).toMatchObject({ rows: ROWS.length, checksum: expect.stringMatching(/^-?[1-9]\d+$/) as string });
  const catalogue = {
    constraints: "SELECT conrelid::regclass || '.' || conname AS name FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    indexes: "SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public'",
    triggers: "SELECT tgrelid::regclass || '.' || tgname AS name FROM pg_trigger WHERE NOT tgisinternal",
    functions:
      "SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')' AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    columns: "SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public'",
  } as const;
  for (const [kind, text] of Object.entries(catalogue) as [keyof typeof catalogue, string][]) {
    const there = (await inside<{ name: string }>(text)).map(({ name }) => name).sort();
    expect(there.length, kind).toBeGreaterThan(0);
    expect({ kind, names: Object.keys(kept[kind]).sort() }).toEqual({ kind, names: there });
    expect({ kind, names: Object.keys(baseline!.objects!["pfa"]![kind]).sort() }).toEqual({ kind, names: there });
  }
  expect(kept.constraints["pfa_records.pfa_records_pkey"]).toMatch(/^PRIMARY KEY/);
}

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
    expect(json).toMatchObject({ ok: true, standby: true });
    expect(await stand.version()).toBe("v4.1.0");
    expect(await stand.ids()).toEqual(ROWS);
    const generations = (await stand.snapshots()).filter(({ name }) => name === "before-v4.1.0").map(({ generation }) => generation);
    expect(generations).toEqual([1, 2]);
  });

  test("`history` has every rollout with releases, state and how long users were kept out, newest first", async () => {
    const { code, json, stderr } = await stand.verb<{ stack: string; rollouts: HistoryEntry[] }>("history");
    expect(code, stderr).toBe(0);
    expect(json.stack).toBe(stand.stack.stack);
    expect(json.rollouts.map(({ epoch, from, to, scope, state, failure }) => ({ epoch, from, to, scope, state, failure }))).toEqual([
      { epoch: 5, from: "v4.0.0", to: "v4.1.0", scope: null, state: "open", failure: null },
      { epoch: 4, from: "v4.0.0", to: "v4.0.0", scope: null, state: "open", failure: null },
      { epoch: 3, from: "v4.0.0", to: "v4.1.0", scope: null, state: "closed", failure: "data: schema of pfa" },
      { epoch: 2, from: "v3.0.0", to: "v4.0.0", scope: null, state: "open", failure: null },
      { epoch: 1, from: null, to: "v3.0.0", scope: null, state: "open", failure: null },
    ]);
    const [last, back, stopped] = json.rollouts;
    expect([last!.runId, back!.runId, stopped!.runId]).toEqual([
      expect.stringMatching(/^deploy-/),
      `${stopped!.runId}-back`,
      expect.stringMatching(/^deploy-/),
    ]);
    expect(back!.reason).toBe("v4.1.0 failed");
    expect(stopped!.openedAt).toBeNull();
    expect(stopped!.phases.map(({ name, status }) => [name, status])).toEqual([
      ["fence", "done"],
      ["snapshot", "done"],
      ["data", "failed"],
    ]);
    for (const { epoch, runId, startedAt, openedAt, phases } of json.rollouts.filter((one) => one !== stopped)) {
      const keptOut = (Date.parse(openedAt!) - Date.parse(startedAt)) / 1000;
      expect(keptOut, runId).toBeGreaterThan(0);
      const before = phases.filter(({ name }) => name !== "open" && name !== "finalize");
      // What failed before it installed anything had nothing to install on its way back.
      const did: Record<number, string[]> = { 1: ["data", "install"], 4: ["data"] };
      expect([epoch, ...before.map(({ name }) => name)]).toEqual([
        epoch,
        "fence",
        ...(did[epoch] ?? ["snapshot", "data", "install"]),
        "start",
        "verify",
      ]);
      // What users waited for is at least what was done meanwhile, by the clock of the journal.
      const done = before.reduce((sum, { seconds }) => sum + seconds, 0);
      expect(keptOut, `${runId}: ${JSON.stringify(phases)}`).toBeGreaterThan(done - 0.1);
      const times = (await stand.journal(epoch)).map(({ at }) => Date.parse(at));
      expect(Date.parse(startedAt)).toBeLessThanOrEqual(Math.min(...times));
      expect(Date.parse(openedAt!)).toBeLessThanOrEqual(Math.max(...times));
    }
  });
});

test("a process that never gets healthy: the previous version runs again", async () => {
  const folder = makeRelease(stand.folder, {
    from: "v4.0.0",
    version: "v4.2.0",
    alter: (service, text) => (service === "backend" ? `throw new Error("defect of this build");\n${text}` : text),
  });
  const outcome = await deploy("v4.2.0", "--from", folder, "--schema", SYNC_MIGRATION);
  await expectBack("v4.1.0", "v4.2.0", outcome);
  expect(outcome.json.failure).toMatch(/defect of this build/);
  expect(outcome.json.phases.find(({ name }) => name === "start")?.status).toBe("failed");
});

test("a verification that fails: the previous version runs again, and users never saw the new one", async () => {
  const folder = makeRelease(stand.folder, {
    from: "v4.0.0",
    version: "v4.3.0",
    alter: (service, text) => (service === "backend" ? text.replace(/^ +\.\.\.recordRoutes.*\n/m, "") : text),
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
  expect(json.failure).toMatch(/The gate stays closed: .* or go back to v4\.1\.0: `\S.* rollback --stack e2e`/);
  expect(stand.gate()?.mode).toBe("closed");
  expect(await stand.version()).toBeNull();
  expect((await stand.ask("/health")).status).toBe(503);
  expect(stand.text()).toMatch(/backout:release: v4\.2\.0\n/);
  const status = await stand.verb<{ rollout: { unfinished: boolean; failure: string } }>("status");
  expect(status.json.rollout).toMatchObject({ unfinished: true, failure: expect.stringMatching(/^start: /) as string });

  stand.write(text);
  await stand.upWell();
  expect(await stand.version()).toBe("v4.1.0");
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.ids()).toEqual(ROWS);
});

test("two at once: the second is refused and says who holds the lock", async () => {
  const lock = join(stand.stack.home, "lock.json");
  const points = mkdtempSync(join(stand.folder, "points-"));
  const startedAt = Date.now();
  Object.assign(process.env, { BACKOUT_FAILPOINT: "fence.before", BACKOUT_FAILPOINT_FOLDER: points });
  const first = stand.verb<RolloutOutcome>("rollback", "--to", "v4.0.0", "--scope", "quick", "--incident", "INC-9", "--yes");
  delete process.env["BACKOUT_FAILPOINT"];
  delete process.env["BACKOUT_FAILPOINT_FOLDER"];
  void first.catch(() => undefined);
  let holder: StackLockHolder;
  try {
    await until("the first stands before its fence", () => existsSync(join(points, "fence.before.reached")));
    const asIs = () => ({ text: stand.text(), pids: stand.pids(), lock: readFileSync(lock, "utf8") });
    const before = asIs();
    expect(Object.values(before.pids)).not.toContain(null);
    holder = JSON.parse(before.lock) as StackLockHolder;
    expect(holder).toMatchObject({ host: hostname(), user: userInfo().username, what: "rollback for INC-9" });
    expect(readFileSync(`/proc/${holder.pid}/cmdline`, "utf8").split("\0")).toEqual(expect.arrayContaining(["rollback", "INC-9"]));
    expect(Date.parse(holder.since)).toBeGreaterThanOrEqual(startedAt);
    for (const second of [
      ["rollback", "--to", "v3.0.0", "--scope", "restore", "--incident", "INC-10"],
      ["deploy", "v4.1.0"],
    ]) {
      const [verb, ...more] = second as [string, ...string[]];
      const { code, json } = await stand.verb<{ error: { name: string; message: string } }>(verb, ...more, "--yes");
      expect([verb, code]).toEqual([verb, 3]);
      const { user, host, pid, since, runId } = holder;
      expect(json.error).toEqual({
        name: "StackLockedError",
        message: `e2e is locked by ${user}@${host} (pid ${pid}) since ${since}: rollback for INC-9, run ${runId}. Wait for it to end.`,
      });
      expect(asIs()).toEqual(before);
    }
  } finally {
    writeFileSync(join(points, "fence.before.go"), "");
    await first.catch(() => undefined);
  }
  const { code, json, stderr } = await first;
  expect(code, stderr).toBe(0);
  expect(json.runId).toBe(holder.runId);
  expect(await stand.version()).toBe("v4.0.0");
  expect(existsSync(lock)).toBe(false);
});
