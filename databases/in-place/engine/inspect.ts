/** What is true of databases in place: facts, sizes, obstacles to the fence. Changes nothing. */
import { join } from "node:path";
import { liveLineage, NO_LINEAGE } from "../../postgres/state/catalogue.ts";
import type { Snapshot } from "../../../config/record.ts";
import { dumpFolder, endpointOf, liveName } from "../../../config/site.ts";
import { connect } from "../../postgres/connection.ts";
import { UnreachableError } from "../../shared/unreachable.ts";
import { foreign as foreignTo } from "../../postgres/engine/foreign.ts";
import { settingsThatStay } from "../../postgres/engine/kept-settings.ts";
import { postgresSession } from "../../postgres/sql-session.ts";
import { dumpBytes, readDump } from "../dump.ts";
import { refuseUnclosable } from "../fence.ts";
import { readExtent } from "../extent.ts";
import { refuseUnfitting, refuseUnrestorable } from "../obstacles.ts";
import { readSurroundings } from "../surroundings.ts";
import { toolsOf } from "../tools.ts";
import { ledgerIn, readLedger } from "../../postgres/migrations.ts";
import { databaseSizeBytes } from "../../postgres/space.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import { constraintStates } from "../../postgres/constraint-states.ts";
import { openState } from "../../open-state.ts";
import type { InspectContext, LiveSession } from "../../engine.ts";
import { ledgerFacts, migrationsOf } from "../../shared/migrations/of-definition.ts";
import type { DataAction, DatabaseFacts, DatabasePlan, Lineage } from "../../../config/plan.ts";
import { clientOf } from "../../postgres/engine/session.ts";
import { inDatabase } from "./places.ts";
import { refuseRoles } from "./roles.ts";
import { refuseUnreadable } from "./scratch.ts";

export { objects } from "../../postgres/engine/objects.ts";
export { rowsAtRisk } from "./at-risk.ts";
export { noStandbyBecause } from "./trial.ts";

export async function foreign(at: InspectContext, database: string, plan: DatabasePlan, applied: readonly string[]): Promise<string[]> {
  return foreignTo(at, database, plan, applied, true);
}

/** The database stays, and its followers with it. Settings are compared with those a snapshot recorded: a quarantine is a dump without any. */
export async function leftBehind(at: InspectContext, database: string, action: DataAction, snapshot: Snapshot | null): Promise<string[]> {
  return action.kind === "undo" ? [] : settingsThatStay(at, database, action, snapshot);
}

/** Also inside the fence, which does not keep the owner out. */
export async function openLive({ site }: InspectContext, database: string): Promise<LiveSession> {
  const client = await connect(endpointOf(site), liveName(site, database));
  return { session: postgresSession(client), end: () => client.end().catch(() => undefined) };
}

export const openToRead = openLive;

export async function facts(at: InspectContext, database: string): Promise<DatabaseFacts> {
  const { site, definition } = at;
  try {
    return await inDatabase(site, database, async (client) => {
      const ledger = await ledgerIn(client, definition, database);
      const read = await readLedger(client, ledger, migrationsOf(definition, database, ledger));
      const constrained = Object.values(definition.constraints ?? {}).some((constraint) => constraint.database === database);
      return {
        exists: true,
        lineage: await lineage(at, database),
        ...ledgerFacts(read, ledger),
        ...(constrained ? { constraints: await constraintStates(client, definition, database) } : {}),
      };
    });
  } catch (error) {
    if (error instanceof UnreachableError && error.code === "3D000") return { exists: false, lineage: NO_LINEAGE, applied: [], failed: [] };
    throw error;
  }
}

export async function lineage({ site, state }: InspectContext, database: string): Promise<Lineage> {
  return state === null ? NO_LINEAGE : (await liveLineage(clientOf(state), liveName(site, database))).lineage;
}

export async function refuseUnfenceable({ site }: InspectContext, databases: readonly string[]): Promise<void> {
  for (const database of databases)
    await inDatabase(site, database, async (client) => {
      await toolsOf(client);
      await refuseRoles(client, site, database);
      await refuseUnrestorable(client);
      await refuseUnreadable(liveName(site, database), await readSurroundings(client, await readExtent(client)));
      await refuseUnclosable(client);
    });
}

/** What a dump needs and is not there, here or where it is read. @throws DriverRefusedError, DamagedDumpError */
export async function refuseRestore(
  { site }: InspectContext,
  database: string,
  copy: { snapshot: Snapshot } | { quarantine: string },
): Promise<void> {
  const facts = await readDump("snapshot" in copy ? copy.snapshot.location : dumpFolder(site, copy.quarantine));
  await inDatabase(site, database, (client) => refuseUnfitting(client, facts));
  await refuseUnreadable(liveName(site, database), facts);
}

/** Dumps lie on backout's own machine. What is restored takes the place of what is there. */
export async function requireRoom(at: InspectContext, copies: readonly string[], withoutStandby: readonly Snapshot[]): Promise<void> {
  let bytes = 0;
  for (const database of [...copies, ...withoutStandby.map((snapshot) => snapshot.database)]) bytes += await liveBytes(at, database);
  await requireRoomAt(join(at.site.home, "dumps"), bytes);
}

export async function liveBytes({ site }: InspectContext, database: string): Promise<number> {
  return inDatabase(site, database, (client) => databaseSizeBytes(client, liveName(site, database))).catch(() => 0);
}

/** By location for snapshots, by name for quarantines. */
export async function copyBytes({ site, definition, state: given }: InspectContext): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const state = given ?? (await openState(site, definition));
  if (state === null) return sizes;
  try {
    for (const { location } of await state.readySnapshots()) sizes.set(location, await dumpBytes(location).catch(() => 0));
    for (const { role, name } of await state.catalogued())
      if (role === "quarantine") sizes.set(name, await dumpBytes(dumpFolder(site, name)).catch(() => 0));
    return sizes;
  } finally {
    if (given === null) await state.end();
  }
}
