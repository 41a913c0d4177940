/** The data of a database that can be neither renamed nor left: set aside as a dump, replaced in one transaction, migrated. Inside the fence. */
import { mkdirSync, rmSync } from "node:fs";
import type { CatalogueDatabase, Snapshot } from "../../../config/record.ts";
import type { Pins } from "../../../config/pins.ts";
import { dumpFolder, endpointOf, liveName, ownerRole, serverOf, servicesRole } from "../../../config/site.ts";
import { exportDifferences, readManifest, verifyExport } from "../../postgres/export.ts";
import { readExtent } from "../extent.ts";
import { removeDump, takeDump } from "../dump.ts";
import { InPlaceDiffersError } from "../errors.ts";
import { assertClosed, closeInPlace } from "../fence.ts";
import { withoutForce } from "../forced-rls.ts";
import { differencesFrom, restoreInPlace } from "../restore.ts";
import { scriptAccess } from "../../postgres/migrations/access.ts";
import { toolPlace } from "../../postgres/tool-url.ts";
import { bringSchema } from "../../shared/migrations/bring.ts";
import { derivedName } from "../../../config/names.ts";
import { reapply } from "../../postgres/reapply.ts";
import { grantServicesOnce, ownerOfTables } from "../../postgres/roles.ts";
import { refreshViews } from "../../postgres/integrity.ts";
import type { Client } from "pg";
import type { CutOver, ExportFile, Migrated } from "../../../config/journal.ts";
import type { PutBack } from "../../engine.ts";
import { quarantineOf } from "../../shared/copies.ts";
import { satisfies } from "../../shared/lineage.ts";
import { exportBase, exportPlace } from "../../shared/export-place.ts";
import { failpoint } from "../../../processes/failpoints.ts";
import type { DataAction, DatabasePlan, Lineage } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { lineage } from "./inspect.ts";
import { inDatabase, withScratch } from "./places.ts";
import { dumpStatements, liveStatement } from "./record.ts";
import { prepareRoles } from "./roles.ts";
import { tryAndKeep } from "./trial.ts";

export { rowsSince } from "./at-risk.ts";

export const remove = (): Promise<void> => Promise.resolve();

/** The provider creates a hosted database. */
export class HostedDatabaseMissingError extends Error {
  readonly database: string;
  constructor(database: string, user: string) {
    super(
      `there is no database "${database}", and the driver in-place makes none: let the provider make it, owned by ${user}, then run again`,
    );
    this.name = "HostedDatabaseMissingError";
    this.database = database;
  }
}

export async function make({ site }: Run, database: string): Promise<void> {
  await Promise.reject(new HostedDatabaseMissingError(liveName(site, database), endpointOf(site).user));
}

export async function migrate(run: Run, database: string, pins: Pins, plan: DatabasePlan): Promise<Migrated> {
  const { site, definition } = run;
  const live = liveName(site, database);
  return inDatabase(site, database, async (client) => {
    await prepareRoles(client, site, live);
    const owner = (await ownerOfTables(client)) ?? ownerRole(site);
    const done = await bringSchema(run, database, pins, plan, {
      ...scriptAccess(client, definition, database, owner),
      // The fence lets the owner in. Sessions that the command left are ended.
      admitTool: (work) => work(toolPlace(endpointOf(site), live, owner)).finally(() => closeInPlace(client)),
    });
    // The fence stands: who may connect is granted when it opens.
    await grantServicesOnce(client, { database: live, owner, role: servicesRole(site) }, { connect: false });
    if (definition.databases[database]!.refreshViews === true) await refreshViews(client);
    await tryAgain(run, client, database);
    return done;
  });
}

/** The schema is another one now: whether the snapshot taken before can be brought back into it is seen while users are out anyway. */
async function tryAgain(run: Run, client: Client, database: string): Promise<void> {
  const taken = (await run.state.readySnapshots()).filter((snapshot) => snapshot.database === database && snapshot.epoch === run.epoch);
  for (const snapshot of taken) {
    const problem = await tryAndKeep(run, client, snapshot);
    if (problem !== null) run.log("warning", `${snapshot.name}@${snapshot.generation} of ${database} has no standby copy: ${problem}`);
  }
}

/** The safety dump is the quarantine and the way back; the restore, the catalogue and the lineage are one transaction. */
export async function cutOver(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<CutOver | null> {
  const { site, state, epoch } = run;
  const now = await lineage(run, database);
  if (satisfies(now, action)) return null;
  const live = liveName(site, database);
  const quarantine = derivedName(live, `_quarantine_${epoch}`);
  const startedAt = performance.now();
  const goal = await goalOf(run, database, action, snapshot);
  await inDatabase(site, database, async (client) => {
    await closeInPlace(client);
    // An attempt that was killed left a dump of this same state, or half of one.
    await removeDump(dumpFolder(site, quarantine)).catch(() => undefined);
    await takeDump({ client, endpoint: endpointOf(site) }, dumpFolder(site, quarantine));
  });
  await failpoint("in-place.set-aside");
  // What cannot be exported is not replaced: until here the data is as it was.
  await exportBefore(run, { name: quarantine, database, lineage: now }, action);
  await failpoint("in-place.exported");
  return inDatabase(site, database, async (client) => {
    const at = { client, endpoint: endpointOf(site) };
    const { restoreMs } = await restoreInPlace(at, goal.folder, {
      statements: [
        ...dumpStatements({ name: quarantine, database, role: "quarantine", lineage: now, snapshotId: null, epoch }),
        liveStatement({ name: live, database, lineage: goal.lineage, snapshotId: snapshot?.id ?? null, epoch }),
      ],
      beforeCommit: () => failpoint("in-place.before-commit"),
    });
    const differences = await differencesFrom(at, goal.folder);
    if (differences.length > 0) throw new InPlaceDiffersError(live, quarantine, differences);
    run.log(
      "info",
      `${database} was restored in place in ${Math.round(restoreMs)} ms; ${state === null ? "" : quarantine} is its safety dump`,
    );
    return { cutOverMs: performance.now() - startedAt, quarantine };
  });
}

async function goalOf(
  { site, state }: Run,
  database: string,
  action: DataAction,
  snapshot: Snapshot | null,
): Promise<{ folder: string; lineage: Lineage }> {
  if (action.kind === "undo") {
    const found = await quarantineOf(state, database, action.quarantine);
    return { folder: dumpFolder(site, found.name), lineage: { ...found.lineage, quarantine: found.name } };
  }
  if (action.kind !== "restore") throw new Error(`nothing replaces the data for ${action.kind}`);
  if (snapshot === null) throw new Error(`snapshot ${action.snapshot}@${action.generation} of ${database} is gone`);
  const { name, generation } = snapshot;
  return { folder: snapshot.location, lineage: { snapshot: { name, generation, again: action.again }, quarantine: null } };
}

/** The rows written since, as files, made anew: an attempt before may have met other data. */
async function exportBefore(
  run: Run,
  setAside: Pick<CatalogueDatabase, "name" | "database" | "lineage">,
  action: DataAction,
): Promise<void> {
  const { database } = setAside;
  const base = await exportBase(run, database, action, setAside.lineage);
  if (base === null) return;
  const { folder, runId } = await exportPlace(run, database);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await exportSince(run, setAside, base, folder, runId);
}

/** The dump is read on a scratch server. Policies that bind the owner are lifted: rows they hide would count as taken away. */
export async function exportReplaced({ site }: Run, safety: Snapshot, folder: string, runId: string): Promise<ExportFile[]> {
  const { database } = safety;
  if ((await readManifest(folder, runId)) !== null) return verifyExport(folder, runId);
  return inDatabase(site, database, (base) =>
    withScratch(site, database, [safety.location], ([current]) =>
      withoutForce(base, async () => {
        const { leftAlone } = await readExtent(base);
        return exportDifferences({ base, current: current!, leftAlone, folder, runId });
      }),
    ),
  );
}

export async function exportSince(
  { site }: Run,
  quarantine: Pick<CatalogueDatabase, "name" | "database">,
  snapshot: Snapshot,
  folder: string,
  runId: string,
): Promise<ExportFile[]> {
  serverOf(site);
  // The databases of a scratch server are others every time: an export that is complete is the one.
  if ((await readManifest(folder, runId)) !== null) return verifyExport(folder, runId);
  return withScratch(site, quarantine.database, [snapshot.location, dumpFolder(site, quarantine.name)], ([base, current]) =>
    exportDifferences({ base: base!, current: current!, folder, runId }),
  );
}

/**
 * From the export, in a transaction after the restore's: killed between them, the next run finds the data restored and puts the rows back.
 * With policies that bind the owner lifted, or rows would be hidden and others refused.
 */
export async function putBack({ site, definition }: Run, database: string, folder: string, runId: string): Promise<PutBack> {
  return inDatabase(site, database, async (live) => {
    await assertClosed(live);
    return withoutForce(live, async () => {
      const { tables, conflictFile, notHeld } = await reapply({ live, folder, runId, beforeCommit: () => failpoint("data.put-back") });
      if (definition.databases[database]!.refreshViews === true) await refreshViews(live);
      return { tables, conflictFile, notHeld };
    });
  });
}
