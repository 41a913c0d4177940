/** Takes over a live PostgreSQL database while its users are in it. */
import { dumpFolder, endpointOf, liveName, ownerRole, servicesRole, stateDatabase } from "../../../config/site.ts";
import type { Snapshot } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import { NO_LINEAGE } from "../../../config/plan.ts";
import { quote } from "../../shared/identifiers.ts";
import { migrationsOf } from "../../shared/migrations/of-definition.ts";
import { snapshotPlace } from "../../shared/snapshot-place.ts";
import type { InspectContext, TakenCopy } from "../../engine.ts";
import { connect, withSession } from "../connection.ts";
import { dumpDriver } from "../drivers/dump.ts";
import { dumpedSequences } from "../drivers/dumped-sequences.ts";
import { captureManifest } from "../manifest.ts";
import { ledgerIn } from "../migrations/detect.ts";
import { enterApplied, removeEntered } from "../migrations/enter.ts";
import { atOneMoment } from "../one-moment.ts";
import { dropRole, ownerOfObjects } from "../roles.ts";
import { databaseSizeBytes } from "../space.ts";
import { catalogue } from "../state/catalogue.ts";
import { quickStatistics } from "../statistics.ts";
import { requireRoomFor } from "./inspect.ts";
import { withSettings } from "./kept-settings.ts";
import { clientOf } from "./session.ts";
import { bothDone, withoutOwnSettings } from "./snapshots.ts";

export { look, noSnapshotBecause } from "./adoption-look.ts";

export const snapshotDriver = (): string => "dump";

export function snapshotLocation({ site }: InspectContext, database: string, name: string, generation: number): string {
  return dumpFolder(site, `${liveName(site, database)}_${snapshotPlace(name, generation)}`);
}

/** Dump and recorded content are of one moment: what others commit meanwhile is in neither. */
export async function takeSnapshot({ site, state }: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  const client = clientOf(state);
  const live = liveName(site, snapshot.database);
  const driver = dumpDriver({ endpoint: endpointOf(site), admin: client });
  await driver.check();
  if (again) await driver.remove({ driver: "dump", location: snapshot.location });
  await requireRoomFor(site, client, "dump", await databaseSizeBytes(client, live), 0);
  const inside = await connect(endpointOf(site), live);
  try {
    const statistics = await withSettings(client, live, await quickStatistics(inside, live));
    await withoutOwnSettings(inside, client);
    const [kept, manifest] = await atOneMoment(inside, (moment) =>
      bothDone(driver.take(live, snapshot.location, moment), captureManifest(inside)),
    );
    const sequences = { ...manifest.sequences, ...(await dumpedSequences(client, kept.location)) };
    return { manifest: { ...manifest, sequences }, statistics, sizeBytes: await driver.sizeBytes(kept) };
  } finally {
    await inside.end().catch(() => undefined);
  }
}

export async function enterMigrations({ site, definition }: Run, database: string, names: readonly string[]): Promise<string[]> {
  return withSession(endpointOf(site), liveName(site, database), async (client) => {
    const ledger = await ledgerIn(client, definition, database);
    const known = migrationsOf(definition, database, ledger).filter(({ name }) => names.includes(name));
    return enterApplied(client, known, ledger, await ownerOfObjects(client));
  });
}

export async function removeMigrations({ site, definition }: Run, database: string, names: readonly string[]): Promise<void> {
  await withSession(endpointOf(site), liveName(site, database), async (client) => {
    const ledger = await ledgerIn(client, definition, database);
    const entered = migrationsOf(definition, database, ledger).filter(({ name }) => names.includes(name));
    await removeEntered(client, ledger, entered);
  });
}

export async function enter({ site, state, epoch }: Run, database: string): Promise<void> {
  const name = liveName(site, database);
  await catalogue(clientOf(state), { name, database, role: "live", lineage: NO_LINEAGE, snapshotId: null, epoch });
}

export async function removeState({ site, definition, state }: Run): Promise<void> {
  await state.end();
  await withSession(endpointOf(site), "postgres", async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${quote(stateDatabase(site, definition))} WITH (FORCE)`);
    // No copy is left that grants them anything.
    for (const role of [servicesRole(site), ownerRole(site)]) await dropRole(client, role);
  });
}
