/** Whether the schema that comes back suits the release it comes back for is answered by the plan: from a real file, its snapshots and its record. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import { sqlite } from "../../databases/engines/whole.ts";
import { livePath } from "../../../databases/sqlite/engine/places.ts";
import type { Run } from "../../../config/run.ts";
import { rawConfig } from "../../../config/edit.ts";
import { parseConfig } from "../../../config/parse.ts";
import { rolloutOf, type Pins } from "../../../config/pins.ts";
import { resolvePins } from "../../../config/resolve-pins.ts";
import { stateFile, liveFile, siteOf, type Site } from "../../../config/site.ts";
import { planResource } from "../../../provider/resources/plan.ts";
import { releaseFile } from "../../../databases/sqlite/fence.ts";
import { withFile } from "../../../databases/sqlite/database.ts";
import { definition as orbisForge } from "../../../systems/orbis-forge/definition.ts";
import { captureBaseline } from "../../../rollout/verification/baseline.ts";
import { NEW, OLD } from "./stand.ts";

const PHASE3_MIGRATION = orbisForge.databases["production"]!.migrations[1]!.name;

const DATABASE = "production";
const PROJECT = join(import.meta.dirname, "../../..");
const DECLARED = parseConfig(rawConfig(readFileSync(join(PROJECT, "stacks", "Pulumi.orbis-forge.yaml"), "utf8")));
let folder: string;
let site: Site;
let state: SqliteState;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-orbis-schema-"));
  site = { ...siteOf(DECLARED, "test", PROJECT), home: folder };
  state = await SqliteState.create(stateFile(site));
});
afterEach(async () => {
  releaseFile(livePath(site, DATABASE));
  await state.end();
  rmSync(folder, { recursive: true, force: true });
});

const pinned = (release: string, data = "current"): Pins => resolvePins({ ...DECLARED, release, data }, orbisForge);

/** Begins a rollout as the fence does, does the work inside, and opens. */
async function rollout(epoch: number, pins: Pins, work: (run: Run) => Promise<void>): Promise<void> {
  const run: Run = { site, definition: orbisForge, state, epoch, runId: `run-${epoch}`, log: () => undefined };
  const plan = { databases: {} } as Parameters<typeof state.beginRollout>[0]["plan"];
  await state.beginRollout({ epoch, rollout: rolloutOf(pins), pins, plan, runId: run.runId, reason: null });
  await state.setBaseline(epoch, await captureBaseline(run, pins));
  await work(run);
  await state.setState(epoch, "open");
}

async function snapshot(run: Run, name: string, release: string): Promise<void> {
  await sqlite.keepProperties(run, DATABASE, true);
  await sqlite.close(run, DATABASE);
  const begun = await state.beginSnapshot(
    { database: DATABASE, name, driver: sqlite.driver(run), epoch: run.epoch, release, automatic: false },
    (generation) => sqlite.snapshotLocation(run, DATABASE, name, generation),
  );
  const taken = await sqlite.takeSnapshot(run, begun, false);
  await state.finishSnapshot(begun.id, { ...taken, baseline: (await state.rollout(run.epoch))?.baseline ?? null });
}

const schemaTo = async (run: Run, pins: Pins, kind: "create" | "none"): Promise<void> => {
  await sqlite.migrate(run, DATABASE, pins, { action: { kind }, up: [], back: [], backBy: "keep" });
  await sqlite.admit(run, DATABASE, "everybody");
};

const inputsOf = (pins: Pins) => ({
  site,
  pins,
  exact: false,
  newWrites: "export" as const,
  freeze: null,
  violations: "reject" as const,
  asked: { order: null, scope: null },
  rollout: "",
  reached: false,
  preview: null,
});

/** What preview and update say alike: both ask this check before anything is touched. */
async function refusals(pins: Pins): Promise<string[]> {
  const { failures } = await planResource.check!(inputsOf(pins), null, {
    urn: "plan",
    log: () => undefined,
  });
  return (failures ?? []).map(({ reason }) => reason);
}

test(
  "a schema that the pinned release does not take refuses the plan, one it takes or can be given does not",
  { timeout: 60_000 },
  async () => {
    await rollout(1, pinned(OLD), async (run) => {
      await sqlite.make(run, DATABASE);
      await schemaTo(run, pinned(OLD), "create");
    });
    await rollout(2, pinned(NEW), async (run) => {
      await snapshot(run, `before-${NEW}`, OLD);
      await schemaTo(run, pinned(NEW), "none");
    });
    await rollout(3, pinned(NEW), async (run) => snapshot(run, "sound", NEW).then(() => sqlite.admit(run, DATABASE, "everybody")));
    // Another tool began the migration anew and died: nobody knows how much of it is there.
    const half = `UPDATE _backout_migrations SET finished_at = NULL, logs = 'interrupted' WHERE migration_name = '${PHASE3_MIGRATION}'`;
    withFile(liveFile(site, DATABASE), {}, (db) => db.exec(half));
    await rollout(4, pinned(NEW), async (run) => snapshot(run, "nightly", NEW).then(() => sqlite.admit(run, DATABASE, "everybody")));

    expect(await refusals(pinned(NEW, "nightly@1"))).toEqual([
      `${NEW} cannot run on nightly@1 of production: it lacks ${PHASE3_MIGRATION}: started and never finished, so that nobody knows how much of ` +
        `it is there, and it cannot be applied. Fix: pin other data (before-${NEW}@1, sound@1 will do)`,
    ]);
    // The older release runs on what has more than it needs; what lacks a migration is given it after the restore.
    for (const [release, data] of [
      [OLD, `before-${NEW}@1`],
      [OLD, "sound@1"],
      [OLD, "nightly@1"],
      [OLD, "current"],
      [NEW, `before-${NEW}@1`],
    ] as const)
      expect({ release, data, refused: await refusals(pinned(release, data)) }).toEqual({ release, data, refused: [] });
    // Planned while nobody could look: nothing of it was refused, so that it is not carried out where the data answers again.
    const unseen = inputsOf(pinned(NEW, "nightly@1"));
    await expect(planResource.update(unseen, unseen, { urn: "plan", log: () => undefined })).rejects.toThrow(
      "the databases could not be reached when this was planned. Nothing was stopped. Run it again",
    );
  },
);
