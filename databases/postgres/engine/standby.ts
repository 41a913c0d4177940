/** Standby copies of a PostgreSQL snapshot: restored beside the live database, verified, and used only where nobody was in them since. */
import type { Client } from "pg";
import { catalogue, catalogued } from "../state/catalogue.ts";
import type { CatalogueDatabase, Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { quote } from "../../shared/identifiers.ts";
import { sessionInside } from "../fence.ts";
import { captureManifest, compareManifests, compareRestored, extensionRelations } from "../manifest.ts";
import type { Manifest } from "../manifest-shape.ts";
import { derivedName, makingName } from "../../../config/names.ts";
import { requireSpace } from "../space.ts";
import { postgresSession } from "../sql-session.ts";
import { quickStatistics } from "../statistics.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import { countTables } from "../../tables.ts";
import { standbyCopiesOf, CopyDiffersError } from "../../shared/copies.ts";
import { type CopyContext } from "../../engine.ts";
import { driverFor, type DriverName } from "./drivers.ts";
import { clientOf } from "./session.ts";

/** The standby copy of a snapshot, or one made now: a copy that is being made is waited for, and one that was touched is not used. */
export async function standbyCopy(run: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
  const ready = await readyCopy(run, snapshot);
  if (ready !== null) return ready;
  return run.state.whileMakingStandby(async () => (await readyCopy(run, snapshot)) ?? makeCopy(run, snapshot));
}

/** An standby copy that nobody wrote to since it was verified: the server has counted no session in it. */
async function readyCopy(run: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase | null> {
  for (const copy of await standbyCopiesOf(run.state, snapshot)) {
    if (copy.verified === null) continue;
    if (await untouched(clientOf(run.state), copy)) return copy;
    run.log("warning", `standby copy ${copy.name} was written to since it was verified: it is verified again`);
    if ((await verifyCopy(run, snapshot, copy.name)).length === 0) return copy;
    await dropCopy(run, copy);
  }
  return null;
}

/** How many sessions a database has ever had; null where it is gone. Nobody writes without one, and autovacuum does not count. */
async function sessionsEver(client: Client, name: string): Promise<number | null> {
  await client.query("SELECT pg_stat_clear_snapshot()");
  const { rows } = await client.query<{ sessions: string }>("SELECT sessions FROM pg_stat_database WHERE datname = $1", [name]);
  return rows[0] === undefined ? null : Number(rows[0].sessions);
}

async function untouched(client: Client, copy: CatalogueDatabase): Promise<boolean> {
  const then = copy.verified?.["sessions"];
  return typeof then === "number" && then === (await sessionsEver(client, copy.name));
}

/** A session is counted when it reports, shortly after it ended. */
async function sessionsSettled(client: Client, name: string, before: number | null): Promise<number | null> {
  for (let look = 0; look < 40; look++) {
    const now = await sessionsEver(client, name);
    if (now !== null && now > (before ?? 0)) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return sessionsEver(client, name);
}

/** What the pristine copy of a snapshot holds, read once: nobody writes to it. */
async function pristineManifest(run: CopyContext, snapshot: Snapshot): Promise<Manifest> {
  if (snapshot.manifest !== null) return snapshot.manifest as unknown as Manifest;
  return keepManifest(
    run,
    snapshot,
    await withSession(endpointOf(run.site), snapshot.location, (client) => captureManifest(client), { readOnly: true }),
  );
}

async function keepManifest({ state }: CopyContext, snapshot: Snapshot, manifest: Manifest): Promise<Manifest> {
  await state.setManifest(snapshot.id, manifest);
  snapshot.manifest = manifest as unknown as Record<string, unknown>;
  return manifest;
}

/** How a copy differs from what its snapshot held; empty where it does not. */
async function differencesOf(run: CopyContext, snapshot: Snapshot, expected: Manifest | null, copy: Client): Promise<string[]> {
  const actual = await captureManifest(copy);
  if (expected === null) return unrecordedDifferences(run, snapshot, copy, actual);
  return snapshot.driver === "template"
    ? compareManifests(expected, actual)
    : compareRestored(expected, actual, await extensionRelations(copy));
}

/**
 * A dump from before its content was recorded when it was taken: only the rows that were counted in the fence then can be asked for. What the
 * first copy holds is kept, so that later ones are compared with that at least.
 */
async function unrecordedDifferences(run: CopyContext, snapshot: Snapshot, copy: Client, actual: Manifest): Promise<string[]> {
  const { tables } = run.definition.databases[snapshot.database]!;
  const counted = snapshot.baseline?.counts ?? {};
  const held = await countTables(postgresSession(copy), tables);
  const differences = tables
    .filter((table) => counted[table] !== undefined && counted[table] !== held[table])
    .map((table) =>
      held[table] === undefined ? `table ${table} is missing` : `table ${table} has rows ${held[table]}, expected ${counted[table]}`,
    );
  if (differences.length === 0) await keepManifest(run, snapshot, actual);
  return differences;
}

/** A copy accepts no connections until it is cut over to: nobody can change what was verified. */
async function insideCopy<T>(run: CopyContext, name: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await sessionInside(endpointOf(run.site), clientOf(run.state), name);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Reads what the snapshot held: from the pristine copy, or, where the snapshot is a dump, from a standby one. */
export async function withCopy<T>(run: CopyContext, snapshot: Snapshot, work: (client: Client) => Promise<T>): Promise<T> {
  if (snapshot.driver === "template") return withSession(endpointOf(run.site), snapshot.location, work, { readOnly: true });
  const client = clientOf(run.state);
  const copy = await standbyCopy(run, snapshot);
  const before = await sessionsEver(client, copy.name);
  const result = await insideCopy(run, copy.name, work);
  const sessions = await sessionsSettled(client, copy.name, before);
  await client.query("UPDATE databases SET verified = verified || jsonb_build_object('sessions', $2::bigint) WHERE oid = $1", [
    copy.oid,
    sessions,
  ]);
  return result;
}

export async function inCopy<T>(run: CopyContext, copy: CatalogueDatabase, work: (session: SqlSession) => Promise<T>): Promise<T> {
  return insideCopy(run, copy.name, (client) => work(postgresSession(client)));
}

export async function inSnapshot<T>(run: CopyContext, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T> {
  return withCopy(run, snapshot, (client) => work(postgresSession(client)));
}

/** Compares a copy with what its snapshot held, and marks it as verified where they are equal. @returns how they differ */
async function verifyCopy(run: CopyContext, snapshot: Snapshot, name: string): Promise<string[]> {
  const expected =
    snapshot.driver === "template" ? await pristineManifest(run, snapshot) : (snapshot.manifest as unknown as Manifest | null);
  const before = await sessionsEver(clientOf(run.state), name);
  const { differences, statistics } = await insideCopy(run, name, async (client) => ({
    differences: await differencesOf(run, snapshot, expected, client),
    statistics: await quickStatistics(client, name),
  }));
  if (differences.length > 0) return differences;
  const sessions = await sessionsSettled(clientOf(run.state), name, before);
  await clientOf(run.state).query(
    "UPDATE databases SET verified = $2 WHERE oid = (SELECT oid::bigint FROM pg_database WHERE datname = $1)",
    [name, JSON.stringify({ ...statistics, sessions })],
  );
  return [];
}

/** In the background, where nobody waits. */
export function makeStandby(run: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
  return makeCopy(run, snapshot, () => settle(run));
}

/** Writes what was copied to disk: every DROP DATABASE of a later update would wait for it. A server of somebody else's is left alone. */
async function settle({ site, state }: CopyContext): Promise<void> {
  if (site.server?.embedded !== true) return;
  await clientOf(state).query("CHECKPOINT");
}

/** Restores a copy of the snapshot beside the live database and verifies it. */
async function makeCopy(
  run: CopyContext,
  snapshot: Snapshot,
  copied: () => Promise<void> = () => Promise.resolve(),
): Promise<CatalogueDatabase> {
  const client = clientOf(run.state);
  for (const left of await standbyCopiesOf(run.state, snapshot)) if (left.verified === null) await dropCopy(run, left);
  const base = liveName(run.site, snapshot.database);
  const taken = await withoutOrphans(client, base);
  let serial = 1;
  while (taken.has(derivedName(base, `_standby_${snapshot.id}_${serial}`))) serial++;
  const name = derivedName(base, `_standby_${snapshot.id}_${serial}`);
  const driver = snapshot.driver as DriverName;
  const kept = { driver, location: snapshot.location };
  await requireSpace(client, endpointOf(run.site), await driverFor(run.site, client, driver).spaceNeededBytes({ snapshot: kept }));
  await driverFor(run.site, client, driver).restoreTo(kept, name);
  const entry = {
    name,
    database: snapshot.database,
    role: "standby" as const,
    lineage: { snapshot: { name: snapshot.name, generation: snapshot.generation, again: 0 }, quarantine: null },
    snapshotId: snapshot.id,
    epoch: snapshot.epoch,
  };
  await catalogue(client, { ...entry, verified: null });
  await copied();
  const differences = await verifyCopy(run, snapshot, name);
  if (differences.length > 0) {
    await dropCopy(
      run,
      (await standbyCopiesOf(run.state, snapshot)).find((copy) => copy.name === name)!,
    );
    throw new CopyDiffersError(name, differences);
  }
  return (await standbyCopiesOf(run.state, snapshot)).find((copy) => copy.name === name)!;
}

/** Names of all databases, after standby copies that were made but never entered in the catalogue are dropped. */
async function withoutOrphans(client: Client, base: string): Promise<Set<string>> {
  const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database");
  const names = new Set(rows.map(({ datname }) => datname));
  const entered = new Set((await catalogued(client)).map(({ name }) => name));
  for (const name of names) {
    if (!isStandbyName(base, name) || entered.has(name)) continue;
    await client.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`);
    names.delete(name);
  }
  return names;
}

/** A server has databases of others, whose names may begin as ours do. */
function isStandbyName(base: string, name: string): boolean {
  const suffix = /_standby_\d+_\d+(?=(?:__making)?$)/.exec(name)?.[0];
  if (suffix === undefined) return false;
  const own = derivedName(base, suffix);
  return name === own || name === makingName(own);
}

export async function dropCopy({ state }: CopyContext, copy: CatalogueDatabase): Promise<void> {
  // What is set aside is as it was live; a template is not dropped.
  await clientOf(state)
    .query(`ALTER DATABASE ${quote(copy.name)} IS_TEMPLATE false`)
    .catch((error: { code?: string }) => {
      if (error.code !== "3D000") throw error;
    });
  await clientOf(state).query(`DROP DATABASE IF EXISTS ${quote(copy.name)} WITH (FORCE)`);
  await state.forgetDatabase(copy.oid);
}
