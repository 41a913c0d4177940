/** Takes over a live database that can be neither renamed nor left, as its owner, while its users are in it. */
import { join } from "node:path";
import { endpointOf, liveName, ownerRole, servicesRole } from "../../../config/site.ts";
import type { Snapshot } from "../../../config/record.ts";
import { NO_LINEAGE } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { obstacle, type FoundDatabase } from "../../shared/adoption.ts";
import type { InspectContext, TakenCopy } from "../../engine.ts";
import { foundIn } from "../../postgres/found.ts";
import { unreadTables } from "../../postgres/comparison-beyond.ts";
import { withSettings } from "../../postgres/engine/kept-settings.ts";
import { clientOf } from "../../postgres/engine/session.ts";
import { isSuperuser } from "../../postgres/properties.ts";
import { dropRole } from "../../postgres/roles.ts";
import { STATE_SCHEMA } from "../../postgres/state/schema.ts";
import { quickStatistics } from "../../postgres/statistics.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import { databaseSizeBytes } from "../../postgres/space.ts";
import { dumpBytes, removeDump, takeDump } from "../dump.ts";
import { refuseUnclosable } from "../fence.ts";
import { forcedTables } from "../forced-rls.ts";
import { refuseUnrestorable } from "../obstacles.ts";
import { toolsOf } from "../tools.ts";
import { driver, snapshotLocation } from "./copies.ts";
import { inDatabase } from "./places.ts";
import { liveStatement } from "./record.ts";

export { enterMigrations, removeMigrations } from "../../postgres/engine/adoption.ts";
export { driver as snapshotDriver, snapshotLocation };

export async function look(at: InspectContext, database: string): Promise<FoundDatabase> {
  return foundIn(at, database, async (client) => [
    "the driver in-place replaces data where it stands: a restore takes as long as the data is large, and users wait for it",
    ...[
      await obstacle(() => toolsOf(client)),
      await obstacle(() => refuseUnrestorable(client)),
      await obstacle(() => refuseUnclosable(client)),
    ].filter((reason) => reason !== null),
    ...(await unreadTables(client)).map(({ kind, name, why }) => `${kind} ${name} is not compared and not exported: ${why}`),
  ]);
}

/** Lifting policies that bind the owner is work for the fence: it locks the tables. */
export async function noSnapshotBecause({ site }: InspectContext, database: string): Promise<string | null> {
  return inDatabase(site, database, async (client) => {
    const forced = (await isSuperuser(client)) ? [] : await forcedTables(client);
    if (forced.length > 0)
      return `row level security of ${forced.join(", ")} binds the owner, too: it is lifted for a dump only inside the fence`;
    return obstacle(() => toolsOf(client));
  });
}

/** Not tried in the live database, as one in the fence is: that would lock every table. The next deployment takes one that is. */
export async function takeSnapshot(run: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  const { site } = run;
  const live = liveName(site, snapshot.database);
  return inDatabase(site, snapshot.database, async (client) => {
    if (again) await removeDump(snapshot.location).catch(() => undefined);
    await requireRoomAt(join(site.home, "dumps"), await databaseSizeBytes(client, live));
    const statistics = await withSettings(client, live, await quickStatistics(client, live));
    const { content } = await takeDump({ client, endpoint: endpointOf(site) }, snapshot.location, { open: true });
    return { manifest: content, statistics, sizeBytes: await dumpBytes(snapshot.location) };
  });
}

export async function enter({ site, state, epoch }: Run, database: string): Promise<void> {
  await clientOf(state).query(liveStatement({ name: liveName(site, database), database, lineage: NO_LINEAGE, snapshotId: null, epoch }));
}

/** The state lies in the live database, in a schema of its own. */
export async function removeState({ site, definition, state }: Run): Promise<void> {
  await state.end();
  const [first] = Object.keys(definition.databases);
  await inDatabase(site, first!, async (client) => {
    await client.query(`DROP SCHEMA IF EXISTS ${STATE_SCHEMA} CASCADE`);
    for (const role of [servicesRole(site), ownerRole(site)]) await dropRole(client, role);
  });
}
