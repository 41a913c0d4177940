/** The data of a SQLite file: created, cut over, migrated, rolled back or exported. All of it inside the fence. */
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { fileCatalogue, type Swap } from "../state/file-catalogue.ts";
import type { CatalogueDatabase, Snapshot } from "../../../config/record.ts";
import type { Pins } from "../../../config/pins.ts";
import { bringSchema } from "../../shared/migrations/bring.ts";
import type { Ledger } from "../../shared/migrations/ledger.ts";
import type { ToolPlace } from "../../shared/migrations/tool.ts";
import { removeFile } from "../copy.ts";
import { liveFile, type Site } from "../../../config/site.ts";
import { first, isDamaged, openFile, withFile } from "../database.ts";
import { exportDifferences } from "../export.ts";
import { ledgerIn } from "../detect.ts";
import { closeFile, insideFile, releaseFile, whileUnwritten } from "../fence.ts";
import { identityOf } from "../identity.ts";
import { appliedMigrations, applyMigration, markRolledBack, rollBackMigration } from "../migrations.ts";
import { reapply } from "../reapply.ts";
import { giveOwnership, swapFiles } from "../swap.ts";
import type { CutOver, ExportFile, Migrated } from "../../../config/journal.ts";
import type { PutBack } from "../../engine.ts";
import { quarantineOf } from "../../shared/copies.ts";
import { satisfies } from "../../shared/lineage.ts";
import { failpoint } from "../../../processes/failpoints.ts";
import { NO_LINEAGE, type DataAction, type DatabasePlan, type Lineage } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { inPristine } from "./pristine.ts";
import { standbyCopy, writable } from "./standby.ts";
import { keepMadeProperties, savedProperties } from "./fence.ts";
import { copyPath, fileOf, livePath, pathOfCopy } from "./places.ts";
import { liveState, settle } from "./swaps.ts";

export { rowsSince } from "./at-risk.ts";

/** A file that exists is catalogued as it is. */
export async function make(run: Run, database: string): Promise<void> {
  settle(run.state, database);
  const live = livePath(run.site, database);
  if (!existsSync(live)) {
    mkdirSync(dirname(live), { recursive: true, mode: 0o700 });
    closeSync(openSync(live, "a", 0o600));
  }
  await keepMadeProperties(run, database, live);
  fileCatalogue.enter(fileOf(run.state), {
    name: database,
    database,
    role: "live",
    lineage: NO_LINEAGE,
    snapshotId: null,
    epoch: run.epoch,
    path: live,
    identity: identityOf(live)!,
  });
}

export async function remove(site: Site, database: string): Promise<void> {
  removeFile(liveFile(site, database));
  return Promise.resolve();
}

export async function migrate(run: Run, database: string, pins: Pins, plan: DatabasePlan): Promise<Migrated> {
  const { site, definition } = run;
  const live = livePath(site, database);
  const kept = (): Promise<Ledger> => insideFile(live, (db) => ledgerIn(db, definition, database));
  return bringSchema(run, database, pins, plan, {
    ledger: kept,
    states: (ledger, known) => insideFile(live, (db) => appliedMigrations(db, ledger, known)),
    apply: async (migration) => insideFile(live, async (db) => applyMigration(db, migration, await kept())),
    rollBack: async (migration) => insideFile(live, async (db) => rollBackMigration(db, migration, await kept())),
    mark: async (migration) => insideFile(live, async (db) => markRolledBack(db, migration, await kept())),
    admitTool: (work) => admitTool(live, work),
  });
}

/** The lock is given up for as long as the command takes: the services are stopped, and a program that keeps the file open makes the next lock fail. */
async function admitTool<T>(live: string, work: (place: ToolPlace) => Promise<T>): Promise<T> {
  releaseFile(live);
  try {
    return await work({ url: `sqlite:///${live}`, file: live, secrets: [] });
  } finally {
    await closeFile(live);
  }
}

/** The live file goes into quarantine and the standby copy (or the quarantined file of an undo) takes its name: only names change. */
export async function cutOver(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<CutOver | null> {
  const { state, epoch, site } = run;
  settle(state, database);
  const live = livePath(site, database);
  const now = liveState(site, state, database);
  if (satisfies(now.lineage, action)) return null;
  const startedAt = performance.now();
  const replacement = await replacementFor(run, database, action, snapshot);
  const quarantineName = `${database}_quarantine_${epoch}`;
  await closeFile(live);
  await closeFile(replacement.path);
  const saved = await savedProperties(run, database);
  const swap: Swap = {
    database,
    epoch,
    live,
    replacement: replacement.path,
    quarantine: copyPath(site, database, quarantineName),
    quarantineName,
    oldIdentity: identityOf(live)!,
    newIdentity: identityOf(replacement.path)!,
    oldLineage: now.lineage,
    newLineage: replacement.lineage,
    snapshotId: replacement.snapshotId,
  };
  const db = fileOf(state);
  await whileUnwritten([live, replacement.path], async () => {
    fileCatalogue.beginSwap(db, swap);
    if (saved !== null) giveOwnership(replacement.path, saved);
    await swapFiles(swap, { at: (point) => failpoint(`data.swap-${point.replace(" ", "-")}`) });
    fileCatalogue.finishSwap(db, swap);
  });
  await failpoint("data.swap-catalogued");
  withFile(live, { readOnly: true }, (reached) => first(reached, "SELECT count(*) FROM sqlite_schema"));
  return { cutOverMs: performance.now() - startedAt, quarantine: quarantineName };
}

interface Replacement {
  path: string;
  lineage: Lineage;
  snapshotId: number | null;
}

async function replacementFor(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<Replacement> {
  if (action.kind === "undo") {
    const found = await quarantineOf(run.state, database, action.quarantine);
    return { path: pathOfCopy(run.state, found.oid), lineage: { ...found.lineage, quarantine: found.name }, snapshotId: null };
  }
  if (action.kind !== "restore") throw new Error(`nothing replaces the data for ${action.kind}`);
  if (snapshot === null) throw new Error(`snapshot ${action.snapshot}@${action.generation} of ${database} is gone`);
  const path = pathOfCopy(run.state, (await standbyCopy(run, snapshot)).oid);
  writable(path);
  return {
    path,
    lineage: { snapshot: { name: snapshot.name, generation: snapshot.generation, again: action.again }, quarantine: null },
    snapshotId: snapshot.id,
  };
}

export async function exportReplaced({ site }: Run, safety: Snapshot, folder: string, runId: string): Promise<ExportFile[]> {
  const { files } = await insideFile(livePath(site, safety.database), (base) =>
    inPristine(safety, (current) => exportDifferences({ base, current, folder, runId })),
  );
  return files;
}

export async function exportSince(
  run: Run,
  quarantine: CatalogueDatabase,
  snapshot: Snapshot,
  folder: string,
  runId: string,
): Promise<ExportFile[]> {
  const path = pathOfCopy(run.state, quarantine.oid);
  const current = openFile(path, { immutable: true });
  try {
    const { files, unreadable } = await inPristine(snapshot, (base) => exportDifferences({ base, current, folder, runId }));
    for (const [table, why] of Object.entries(unreadable))
      run.log("warning", `${table} could not be read to its end (${why}): what could is exported, the rest is in ${path} only`);
    return files;
  } catch (error) {
    if (!isDamaged(error)) throw error;
    run.log("warning", `${path} is damaged and cannot be compared: nothing is exported, it is kept as it is`);
    return [];
  } finally {
    current.close();
  }
}

/** Every foreign key is at work, also where the system does not switch them on. */
export async function putBack({ site }: Run, database: string, folder: string, runId: string): Promise<PutBack> {
  return insideFile(livePath(site, database), (live) => reapply({ live, folder, runId, beforeCommit: () => failpoint("data.put-back") }));
}
