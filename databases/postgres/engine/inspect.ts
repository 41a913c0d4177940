/** What is true of PostgreSQL databases: facts, sizes, room for copies. Changes nothing. Loaded with the engine, so it loads little. */
import { join } from "node:path";
import type { Client } from "pg";
import { liveLineage, NO_LINEAGE } from "../state/catalogue.ts";
import type { Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName, type Site } from "../../../config/site.ts";
import { requireCollations } from "../collation.ts";
import { withSession } from "../connection.ts";
import { UnreachableError } from "../../shared/unreachable.ts";
import { refuseUnfenceable as refuseOne } from "../fence.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import { ledgerIn, readLedger } from "../migrations.ts";
import { databaseSizeBytes, requireSpace } from "../space.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { InspectContext } from "../../engine.ts";
import { constraintStates } from "../constraint-states.ts";
import { ledgerFacts, migrationsOf } from "../../shared/migrations/of-definition.ts";
import type { DataAction, DatabaseFacts, Lineage } from "../../../config/plan.ts";
import { declaredDriver, driverFor, type DriverName } from "./drivers.ts";
import { followersLeftBehind } from "./followers.ts";
import { settingsThatStay } from "./kept-settings.ts";
import { clientOf } from "./session.ts";

export { rowsAtRisk } from "./at-risk.ts";
export { foreign } from "./foreign.ts";
export { objects } from "./objects.ts";
export { openLive, openToRead } from "./session.ts";

export async function facts({ site, definition, state }: InspectContext, database: string): Promise<DatabaseFacts> {
  const live = liveName(site, database);
  const { exists, lineage } =
    state === null ? { exists: await isThere(site, live), lineage: NO_LINEAGE } : await liveLineage(clientOf(state), live);
  const read = exists ? await migrationFacts(site, definition, database, live) : NONE;
  return {
    exists,
    lineage,
    ...(read ?? { ...NONE, unread: true as const }),
    ...(await constraintFacts(site, definition, database, live, exists)),
  };
}

export async function lineage({ site, state }: InspectContext, database: string): Promise<Lineage> {
  return state === null ? NO_LINEAGE : (await liveLineage(clientOf(state), liveName(site, database))).lineage;
}

async function isThere(site: Site, live: string): Promise<boolean> {
  return withSession(endpointOf(site), "postgres", async (client) => {
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [live]);
    return rowCount === 1;
  });
}

async function constraintFacts(site: Site, definition: SystemDefinition, database: string, live: string, exists: boolean) {
  if (!exists || !Object.values(definition.constraints ?? {}).some((constraint) => constraint.database === database)) return {};
  try {
    return { constraints: await withSession(endpointOf(site), live, (client) => constraintStates(client, definition, database)) };
  } catch (error) {
    if (error instanceof UnreachableError && ["55000", "3D000", "42501"].includes(error.code)) return {};
    throw error;
  }
}

const NONE = { applied: [], failed: [] };

/** Null where the database refuses connections: inside a fence only the step that works there reads the ledger. */
async function migrationFacts(site: Site, definition: SystemDefinition, database: string, live: string) {
  try {
    return await withSession(endpointOf(site), live, async (client) => {
      const ledger = await ledgerIn(client, definition, database);
      return ledgerFacts(await readLedger(client, ledger, migrationsOf(definition, database, ledger)), ledger);
    });
  } catch (error) {
    if (error instanceof UnreachableError && ["55000", "3D000", "42501"].includes(error.code)) return null;
    throw error;
  }
}

/** Refused by the preview: it would fail the rollout after users are kept out. */
export async function refuseUnfenceable({ site, state }: InspectContext, databases: readonly string[]): Promise<void> {
  if (state !== null) {
    for (const database of databases) await refuseOne(clientOf(state), liveName(site, database));
    return;
  }
  await withSession(endpointOf(site), "postgres", async (client) => {
    for (const database of databases) await refuseOne(client, liveName(site, database));
  });
}

/** Nothing in the live database can refuse a copy: the copy is a database of its own. */
export const refuseRestore = (): Promise<void> => Promise.resolve();
export const noStandbyBecause = (): Promise<null> => Promise.resolve(null);

export async function leftBehind(at: InspectContext, database: string, action: DataAction, snapshot: Snapshot | null): Promise<string[]> {
  const followers = await followersLeftBehind(at, database, action, snapshot);
  return [...followers, ...(await settingsThatStay(at, database, action, snapshot))];
}

export async function requireRoom({ site }: InspectContext, copies: readonly string[], withoutStandby: readonly Snapshot[]): Promise<void> {
  await withSession(endpointOf(site), "postgres", async (client) => {
    const name = declaredDriver(site);
    const driver = driverFor(site, client, name);
    await driver.check();
    await requireCollations(client, [
      ...copiedBy(site, copies),
      ...withoutStandby.flatMap(({ driver: its, location }) => (its === "dump" ? [BLANK] : [location])),
    ]);
    // By the drivers' own estimates, which are asked again where the copies are made.
    let takenBytes = 0;
    for (const database of copies) takenBytes += await driver.spaceNeededBytes({ database: liveName(site, database) });
    let restoredBytes = 0;
    for (const { driver: its, location } of withoutStandby) {
      const kept = { driver: its as DriverName, location };
      restoredBytes += await driverFor(site, client, kept.driver).spaceNeededBytes({ snapshot: kept });
    }
    await requireRoomFor(site, client, name, takenBytes, restoredBytes);
  });
}

/** What a dump is restored from. */
const BLANK = "template0";

/** Databases that taking snapshots of these copies: dumps are read. */
function copiedBy(site: Site, databases: readonly string[]): string[] {
  return declaredDriver(site) === "dump" ? [] : databases.map((database) => liveName(site, database));
}

/** A dump is written into the stack's home, every other copy by the server. @throws InsufficientSpaceError */
export async function requireRoomFor(
  site: Site,
  client: Client,
  driver: DriverName,
  takenBytes: number,
  restoredBytes: number,
): Promise<void> {
  if (driver === "dump") await requireRoomAt(join(site.home, "dumps"), takenBytes);
  await requireSpace(client, endpointOf(site), restoredBytes + (driver === "dump" ? 0 : takenBytes));
}

export async function liveBytes({ site }: InspectContext, database: string): Promise<number> {
  return withSession(endpointOf(site), "postgres", (client) => databaseSizeBytes(client, liveName(site, database))).catch(() => 0);
}

export async function copyBytes({ site }: InspectContext): Promise<Map<string, number>> {
  return withSession(endpointOf(site), "postgres", async (client) => {
    const { rows } = await client.query<{ name: string; bytes: string }>(
      "SELECT datname AS name, pg_database_size(oid) AS bytes FROM pg_database",
    );
    return new Map(rows.map(({ name, bytes }) => [name, Number(bytes)]));
  });
}
