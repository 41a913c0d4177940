/** A live PostgreSQL database that somebody else made: what is in it, who uses it, and what a driver cannot do there. Touches nothing. */
import type { Client } from "pg";
import { endpointOf, liveName } from "../../../config/site.ts";
import { obstacle, type FoundDatabase } from "../../shared/adoption.ts";
import type { InspectContext } from "../../engine.ts";
import { requireCollations } from "../collation.ts";
import { unreadTables } from "../comparison-beyond.ts";
import { dumpDriver } from "../drivers/dump.ts";
import { refuseUnfenceable } from "../fence.ts";
import { withSession } from "../connection.ts";
import { foundIn } from "../found.ts";
import { followers } from "../inspection.ts";
import { declaredDriver, driverFor } from "./drivers.ts";

export async function look(at: InspectContext, database: string): Promise<FoundDatabase> {
  return foundIn(at, database, (client) => limitsOf(at, client, database));
}

async function limitsOf({ site }: InspectContext, client: Client, database: string): Promise<string[]> {
  const live = liveName(site, database);
  const name = declaredDriver(site);
  const found: (string | null)[] = [];
  found.push(await obstacle(() => driverFor(site, client, name).check()));
  if (name === "template") {
    found.push(await obstacle(() => requireCollations(client, [live])));
    found.push(
      "the driver template copies a database only while nobody is in it, that is inside the fence: the first snapshot is a dump, taken while it is open",
    );
  }
  found.push(await obstacle(() => refuseUnfenceable(client, live)));
  return [...found.filter((reason) => reason !== null), ...(await leftOut(client))];
}

/** What a restore by renaming leaves with the old database, and what no comparison reads. */
export async function leftOut(client: Client): Promise<string[]> {
  const { slots, publications } = await followers(client);
  return [
    ...slots.map(({ name }) => `replication slot ${name}, which nobody reads from, stays with the old database when data is restored`),
    ...publications.map(({ name }) => `publication ${name}: a restore brings back the publications that the snapshot has`),
    ...(await unreadTables(client)).map(({ kind, name, why }) => `${kind} ${name} is not compared and not exported: ${why}`),
  ];
}

/** A dump is taken while others write, whatever the declared driver. */
export async function noSnapshotBecause({ site }: InspectContext): Promise<string | null> {
  return withSession(endpointOf(site), "postgres", (admin) => obstacle(() => dumpDriver({ endpoint: endpointOf(site), admin }).check()));
}
