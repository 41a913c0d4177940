/** Takes the snapshots a crossing needs, inside the fence: idempotent on the epoch, a new generation for every crossing. */
import { join } from "node:path";
import { beginSnapshot, finishSnapshot, snapshotOfEpoch } from "../../control/catalogue.ts";
import { endpointOf, liveName } from "../../declared/site.ts";
import { sessionInside } from "../../postgres/fence.ts";
import { derivedName } from "../../postgres/names.ts";
import { requireSpace } from "../../postgres/space.ts";
import { quickStatistics } from "../../postgres/statistics.ts";
import { driverFor, type DriverName } from "../drivers.ts";
import type { CrossingPlan } from "../plan.ts";
import { step, type Run } from "../run.ts";

export interface Taken {
  database: string;
  name: string;
  generation: number;
  driver: string;
}

export async function takeSnapshots(run: Run, take: CrossingPlan["take"]): Promise<Taken[]> {
  const crossing = await run.control.crossing(run.epoch);
  const taken: Taken[] = [];
  for (const { name, automatic } of take)
    for (const database of Object.keys(run.definition.databases)) {
      if (crossing?.plan.databases[database]?.action.kind === "create") continue;
      taken.push(
        await step(
          run,
          "snapshot",
          `${name} of ${database}`,
          () => takeOne(run, database, name, automatic),
          (snapshot) => snapshot,
        ),
      );
    }
  return taken;
}

async function takeOne(run: Run, database: string, name: string, automatic: boolean): Promise<Taken> {
  const { control, site, epoch } = run;
  const crossing = await control.crossing(epoch);
  const known = await snapshotOfEpoch(control.client, database, name, epoch);
  if (known?.state === "ready") return { database, name, generation: known.generation, driver: known.driver };
  const live = liveName(site, database);
  const driver = driverFor(site, control.client, site.server.driver);
  await driver.check();
  const snapshot =
    known ??
    (await beginSnapshot(
      control.client,
      { database, name, driver: driver.name, epoch, release: crossing?.plan.fromRelease ?? null, automatic },
      (generation) => locationOf(run, site.server.driver, live, name, generation),
    ));
  const inside = await sessionInside(endpointOf(site), control.client, live);
  const statistics = await quickStatistics(inside, live).finally(() => inside.end());
  // Killed between copy and record: the copy cannot be told from a good one, and the fence still stands, so it is made again.
  if (known !== null) await driver.remove({ driver: site.server.driver, location: known.location });
  await requireSpace(control.client, endpointOf(site), await driver.spaceNeededBytes({ database: live }));
  const kept = await driver.take(live, snapshot.location);
  await finishSnapshot(control.client, snapshot.id, {
    // The content is hashed on the pristine copy, after users are in again.
    manifest: null,
    statistics,
    baseline: crossing?.baseline ?? null,
    sizeBytes: await driver.sizeBytes(kept),
  });
  return { database, name, generation: snapshot.generation, driver: driver.name };
}

function locationOf(run: Run, driver: DriverName, live: string, name: string, generation: number): string {
  const suffix = `${name.replaceAll(/[^A-Za-z0-9]+/g, "_")}_${generation}`;
  return driver === "dump" ? join(run.site.home, "dumps", `${live}_${suffix}`) : derivedName(live, `_${suffix}_pristine`);
}
