/** The data of a PostgreSQL database: created, cut over, migrated or rolled back. All of it inside the fence. */
import type { Client } from "pg";
import { catalogue, liveLineage } from "../state/catalogue.ts";
import type { CatalogueDatabase, Snapshot } from "../../../config/record.ts";
import type { Pins } from "../../../config/pins.ts";
import { endpointOf, liveName, ownerRole, secretOf, servicesRole } from "../../../config/site.ts";
import { connect } from "../connection.ts";
import { swapDatabases } from "../cut-over.ts";
import { exportDifferences } from "../export.ts";
import { assertFenced, endSessions, fenceDatabase, sessionInside } from "../fence.ts";
import { scriptAccess } from "../migrations/access.ts";
import { bringSchema } from "../../shared/migrations/bring.ts";
import { derivedName } from "../../../config/names.ts";
import { reapply } from "../reapply.ts";
import { ensureDatabase, grantServicesOnce, ownerOfObjects } from "../roles.ts";
import { databaseOid, findDatabase } from "../sessions.ts";
import { refreshViews } from "../integrity.ts";
import type { CutOver, ExportFile, Migrated } from "../../../config/journal.ts";
import type { PutBack } from "../../engine.ts";
import { quarantineOf } from "../../shared/copies.ts";
import { satisfies } from "../../shared/lineage.ts";
import { failpoint } from "../../../processes/failpoints.ts";
import type { DataAction, DatabasePlan, Lineage } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { standbyCopy, withCopy } from "./standby.ts";
import { putBackProperties } from "./fence.ts";
import { wentAlong } from "./followers.ts";
import { ensureOwnRole } from "./role-owners.ts";
import { ensureServicesRole } from "./roles.ts";
import { clientOf } from "./session.ts";
import { admitTool } from "./tool.ts";

export { rowsSince } from "./at-risk.ts";

export const remove = (): Promise<void> => Promise.resolve();

export async function make(run: Run, database: string): Promise<void> {
  const client = clientOf(run.state);
  const live = liveName(run.site, database);
  await ensureOwnRole(client, run.site, { name: ownerRole(run.site), login: false, password: secretOf(run.site, "database-owner") });
  await ensureServicesRole(run.site, client);
  await ensureDatabase(client, { name: live, owner: ownerRole(run.site) });
  await catalogue(client, {
    name: live,
    database,
    role: "live",
    lineage: { snapshot: null, quarantine: null },
    snapshotId: null,
    epoch: run.epoch,
  });
}

export async function migrate(run: Run, database: string, pins: Pins, plan: DatabasePlan): Promise<Migrated> {
  const { site, definition, state } = run;
  const live = liveName(site, database);
  const client =
    plan.action.kind === "create" ? await connect(endpointOf(site), live) : await sessionInside(endpointOf(site), clientOf(state), live);
  try {
    await ensureServicesRole(site, clientOf(state));
    if (plan.action.kind === "create") await endLeftSessions(run, client, live);
    const owner = await ownerOfObjects(client);
    const done = await bringSchema(run, database, pins, plan, {
      ...scriptAccess(client, definition, database, owner),
      admitTool: (work) => admitTool(run, database, { client, owner, closed: plan.action.kind !== "create" }, work),
    });
    await grantServicesOnce(client, { database: live, owner, role: servicesRole(site) });
    if (definition.databases[database]!.refreshViews === true) await refreshViews(client);
    return done;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A new database is not closed: a statement of a command that is dead already may still be at work there. */
async function endLeftSessions({ state }: Run, client: Client, live: string): Promise<void> {
  const { rows } = await client.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND (pid = pg_backend_pid() OR usename <> current_user)",
  );
  const admin = clientOf(state);
  await endSessions(
    admin,
    live,
    await databaseOid(admin, live),
    rows.map(({ pid }) => pid),
  );
}

/**
 * Renames the live database into quarantine and the standby copy (or the quarantined database of an undo) into its place, in one transaction
 * that also writes catalogue and lineage: after a kill either nothing or all of it has happened.
 */
export async function cutOver(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<CutOver | null> {
  const { epoch } = run;
  const client = clientOf(run.state);
  const live = liveName(run.site, database);
  const now = await liveLineage(client, live);
  const quarantine = derivedName(live, `_quarantine_${epoch}`);
  if (satisfies(now.lineage, action)) {
    const aside = (await findDatabase(client, quarantine)) === null ? undefined : quarantine;
    await putBackProperties(run, database, aside);
    if (aside !== undefined) await tellFollowers(run, database, aside);
    return null;
  }
  const startedAt = performance.now();
  const replacement = await replacementFor(run, database, action, snapshot);
  await fenceDatabase(client, replacement.name, { timeoutMs: 30_000, retryMs: 20 });
  await fenceDatabase(client, live, { timeoutMs: 30_000, retryMs: 20 });
  await assertFenced(client, live);
  await swapDatabases(client, {
    live,
    replacement: replacement.name,
    quarantine,
    inTransaction: async (inside) => {
      await catalogue(inside, { name: quarantine, database, role: "quarantine", lineage: now.lineage, snapshotId: null, epoch });
      await catalogue(inside, {
        name: live,
        database,
        role: "live",
        lineage: replacement.lineage,
        snapshotId: replacement.snapshotId,
        epoch,
        verified: replacement.verified,
      });
      await failpoint("data.swap-renamed");
    },
  });
  await failpoint("data.swap-committed");
  await putBackProperties(run, database, quarantine);
  const session = await sessionInside(endpointOf(run.site), client, live);
  await session.query("SELECT 1");
  const cutOverMs = performance.now() - startedAt;
  await session.end();
  return { cutOverMs, quarantine, wentAlong: await tellFollowers(run, database, quarantine) };
}

async function tellFollowers(run: Run, database: string, quarantine: string): Promise<string[]> {
  const told = await wentAlong(run, database, quarantine);
  for (const line of told) run.log("warning", line);
  return told;
}

interface Replacement {
  name: string;
  lineage: Lineage;
  snapshotId: number | null;
  verified: Record<string, unknown> | null;
}

async function replacementFor(run: Run, database: string, action: DataAction, snapshot: Snapshot | null): Promise<Replacement> {
  if (action.kind === "undo") {
    const found = await quarantineOf(run.state, database, action.quarantine);
    return { name: found.name, lineage: { ...found.lineage, quarantine: found.name }, snapshotId: null, verified: null };
  }
  if (action.kind !== "restore") throw new Error(`nothing replaces the data for ${action.kind}`);
  if (snapshot === null) throw new Error(`snapshot ${action.snapshot}@${action.generation} of ${database} is gone`);
  const copy = await standbyCopy(run, snapshot);
  return {
    name: copy.name,
    lineage: { snapshot: { name: snapshot.name, generation: snapshot.generation, again: action.again }, quarantine: null },
    snapshotId: snapshot.id,
    verified: copy.verified,
  };
}

export async function exportReplaced(run: Run, safety: Snapshot, folder: string, runId: string): Promise<ExportFile[]> {
  const base = await sessionInside(endpointOf(run.site), clientOf(run.state), liveName(run.site, safety.database));
  return withCopy(run, safety, (current) => exportDifferences({ base, current, folder, runId })).finally(() => base.end());
}

export async function exportSince(
  run: Run,
  quarantine: CatalogueDatabase,
  snapshot: Snapshot,
  folder: string,
  runId: string,
): Promise<ExportFile[]> {
  // Nobody may change what is set aside: it accepts no connections.
  const current = await sessionInside(endpointOf(run.site), clientOf(run.state), quarantine.name);
  return withCopy(run, snapshot, (base) => exportDifferences({ base, current, folder, runId })).finally(() => current.end());
}

/** In one transaction with every foreign key checked; rows that clash with live rows are left out and reported. */
export async function putBack(run: Run, database: string, folder: string, runId: string): Promise<PutBack> {
  const live = await sessionInside(endpointOf(run.site), clientOf(run.state), liveName(run.site, database));
  try {
    const { tables, conflictFile, notHeld } = await reapply({
      live,
      folder,
      runId,
      beforeCommit: () => failpoint("data.put-back"),
    });
    if (run.definition.databases[database]!.refreshViews === true) await refreshViews(live);
    return { tables, conflictFile, notHeld };
  } finally {
    await live.end().catch(() => undefined);
  }
}
