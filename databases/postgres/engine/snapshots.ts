/** Snapshots of a PostgreSQL database, by the driver its server is declared to have. */
import type { Client } from "pg";
import type { Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { sessionInside } from "../fence.ts";
import { verifyDump } from "../drivers/dump-manifest.ts";
import { captureManifest, compareManifests } from "../manifest.ts";
import type { Manifest } from "../manifest-shape.ts";
import { quickStatistics } from "../statistics.ts";
import type { CopyContext, TakenCopy } from "../../engine.ts";
import type { Run } from "../../../config/run.ts";
import { declaredDriver, driverFor, type DriverName } from "./drivers.ts";
import { withSettings } from "./kept-settings.ts";
import { requireRoomFor } from "./inspect.ts";
import { clientOf } from "./session.ts";

export async function takeSnapshot({ site, state }: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  const client = clientOf(state);
  const live = liveName(site, snapshot.database);
  const name = declaredDriver(site);
  const driver = driverFor(site, client, name);
  await driver.check();
  const inside = await sessionInside(endpointOf(site), client, live);
  try {
    const statistics = await withSettings(client, live, await quickStatistics(inside, live));
    if (again) await driver.remove({ driver: name, location: snapshot.location });
    await requireRoomFor(site, client, name, await driver.spaceNeededBytes({ database: live }), 0);
    // A template is copied only while nobody is in it; its copy can be read at any time, a dump only by restoring it.
    if (name === "template") await inside.end();
    const [kept, manifest] = await bothDone(
      driver.take(live, snapshot.location),
      name === "template" ? Promise.resolve(null) : contentOf(inside, client),
    );
    return { manifest, statistics, sizeBytes: await driver.sizeBytes(kept) };
  } finally {
    await inside.end().catch(() => undefined);
  }
}

/** What the live database holds, to compare every copy of it with. Nobody writes inside the fence, so that the dump holds the same. */
async function contentOf(inside: Client, admin: Client): Promise<unknown> {
  await withoutOwnSettings(inside, admin);
  return captureManifest(inside);
}

/** A copy has none of the settings of the database it is a copy of: with them, values would be shown otherwise, or reading would time out. */
export async function withoutOwnSettings(inside: Client, admin: Client): Promise<void> {
  const { rows: own } = await inside.query<{ name: string }>(
    "SELECT name FROM pg_settings WHERE source IN ('database', 'database user') AND context IN ('user', 'superuser')",
  );
  const { rows } = await admin.query<{ name: string; value: string }>(
    "SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name",
    [own.map(({ name }) => name)],
  );
  for (const { name, value } of rows) await inside.query("SELECT set_config($1, $2, false)", [name, value]);
}

/** Waits for both also where one fails: neither goes on behind the other's back. */
export async function bothDone<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

export async function removeSnapshot({ site, state }: CopyContext, snapshot: Snapshot): Promise<void> {
  const driver = snapshot.driver as DriverName;
  await driverFor(site, clientOf(state), driver).remove({ driver, location: snapshot.location });
}

/** A dump's files against their hashes, a pristine copy's rows against what was hashed when it first had a standby copy. */
export async function snapshotProblems({ site, state }: CopyContext, { driver, location, manifest }: Snapshot): Promise<string[]> {
  if (driver !== "template") return problemOf(() => verifyDump(location));
  const { rowCount } = await clientOf(state).query("SELECT FROM pg_database WHERE datname = $1", [location]);
  if (rowCount === 0) return [`the database ${location} is gone`];
  // Not hashed yet: that is done when it has its standby copy.
  if (manifest === null) return [];
  return withSession(endpointOf(site), location, async (client) =>
    compareManifests(manifest as unknown as Manifest, await captureManifest(client)),
  );
}

async function problemOf(work: () => Promise<unknown>): Promise<string[]> {
  return work().then(
    () => [],
    (error: Error) => [error.message],
  );
}
