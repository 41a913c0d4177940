/** Snapshots of a PostgreSQL database, by the driver its server is declared to have. */
import type { Snapshot } from "../../../control/record.ts";
import { endpointOf, liveName } from "../../../declared/site.ts";
import { sessionInside } from "../../../postgres/fence.ts";
import { requireSpace } from "../../../postgres/space.ts";
import { quickStatistics } from "../../../postgres/statistics.ts";
import type { Keeping, TakenCopy } from "../../engine.ts";
import type { Run } from "../../run.ts";
import { declaredDriver, driverFor, type DriverName } from "./drivers.ts";
import { clientOf } from "./session.ts";

export async function takeSnapshot({ site, control }: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  const client = clientOf(control);
  const live = liveName(site, snapshot.database);
  const name = declaredDriver(site);
  const driver = driverFor(site, client, name);
  await driver.check();
  const inside = await sessionInside(endpointOf(site), client, live);
  const statistics = await quickStatistics(inside, live).finally(() => inside.end());
  if (again) await driver.remove({ driver: name, location: snapshot.location });
  await requireSpace(client, endpointOf(site), await driver.spaceNeededBytes({ database: live }));
  const kept = await driver.take(live, snapshot.location);
  return { manifest: null, statistics, sizeBytes: await driver.sizeBytes(kept) };
}

export async function removeSnapshot({ site, control }: Keeping, snapshot: Snapshot): Promise<void> {
  const driver = snapshot.driver as DriverName;
  await driverFor(site, clientOf(control), driver).remove({ driver, location: snapshot.location });
}
