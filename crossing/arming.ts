/**
 * Arming: the time a rollback takes is decided beforehand. An armed snapshot has a copy of itself, restored beside the live database and
 * verified, that the cut-over consumes. It is made in the background, by a process that outlives the update.
 */
import { spawn } from "node:child_process";
import { mkdirSync, openSync, closeSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Client } from "pg";
import { catalogue, catalogued, forget, readySnapshots } from "../control/catalogue.ts";
import type { CatalogueDatabase, Snapshot } from "../control/store.ts";
import { endpointOf, liveName, type Site } from "../declared/site.ts";
import { quote, withSession } from "../postgres/connection.ts";
import { sessionInside } from "../postgres/fence.ts";
import { captureManifest, compareManifests, type Manifest } from "../postgres/manifest.ts";
import { derivedName } from "../postgres/names.ts";
import { requireSpace } from "../postgres/space.ts";
import { quickStatistics } from "../postgres/statistics.ts";
import { driverFor, type DriverName } from "./drivers.ts";
import type { Run } from "./run.ts";

/** "arm" as a number: one process at a time makes copies. */
const ARMING_LOCK = 0x61726d;

type Arming = Pick<Run, "site" | "definition" | "control" | "log">;

/** A copy does not hold what its snapshot held. */
export class CopyDiffersError extends Error {
  readonly copy: string;
  readonly differences: string[];
  constructor(copy: string, differences: string[]) {
    super(`the copy ${copy} differs from its snapshot: ${differences.slice(0, 5).join("; ")}; it was dropped and nothing was cut over`);
    this.name = "CopyDiffersError";
    this.copy = copy;
    this.differences = differences;
  }
}

/** The armed copy of a snapshot, or one made now: a copy that is being made is waited for, and one that was touched is not used. */
export async function armedCopy(run: Arming, snapshot: Snapshot): Promise<CatalogueDatabase> {
  const ready = await readyCopy(run, snapshot);
  if (ready !== null) return ready;
  return underLock(run.control.client, async () => (await readyCopy(run, snapshot)) ?? arm(run, snapshot));
}

export async function underLock<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query("SELECT pg_advisory_lock($1)", [ARMING_LOCK]);
  try {
    return await work();
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [ARMING_LOCK]).catch(() => undefined);
  }
}

export async function isArmed(client: Client, snapshot: Snapshot): Promise<boolean> {
  return (await copiesOf(client, snapshot)).some(({ verified }) => verified !== null);
}

async function copiesOf(client: Client, snapshot: Snapshot): Promise<CatalogueDatabase[]> {
  return (await catalogued(client)).filter(({ role, snapshotId }) => role === "armed" && snapshotId === snapshot.id);
}

/** An armed copy that nobody wrote to since it was verified: the server has counted no session in it. */
async function readyCopy(run: Arming, snapshot: Snapshot): Promise<CatalogueDatabase | null> {
  for (const copy of await copiesOf(run.control.client, snapshot)) {
    if (copy.verified === null) continue;
    if (await untouched(run.control.client, copy)) return copy;
    run.log("warning", `armed copy ${copy.name} was written to since it was verified: it is verified again`);
    if (await verifyCopy(run, snapshot, copy.name)) return copy;
    await dropCopy(run.control.client, copy);
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

/** Content hash of the snapshot, taken once from a copy nobody writes to. */
async function manifestOf(run: Arming, snapshot: Snapshot, copy: string): Promise<Manifest> {
  if (snapshot.manifest !== null) return snapshot.manifest as unknown as Manifest;
  const manifest =
    snapshot.driver === "template"
      ? await withSession(endpointOf(run.site), snapshot.location, (client) => captureManifest(client))
      : await insideCopy(run, copy, (client) => captureManifest(client));
  await run.control.client.query("UPDATE snapshots SET manifest = $2 WHERE id = $1", [snapshot.id, JSON.stringify(manifest)]);
  snapshot.manifest = manifest as unknown as Record<string, unknown>;
  return manifest;
}

/** A copy accepts no connections until it is cut over to: nobody can change what was verified. */
async function insideCopy<T>(run: Arming, name: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await sessionInside(endpointOf(run.site), run.control.client, name);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Reads what the snapshot held: from the pristine copy, or, where the snapshot is a dump, from an armed one. */
export async function withCopy<T>(run: Arming, snapshot: Snapshot, work: (client: Client) => Promise<T>): Promise<T> {
  if (snapshot.driver === "template") return withSession(endpointOf(run.site), snapshot.location, work);
  const { client } = run.control;
  const copy = await armedCopy(run, snapshot);
  const before = await sessionsEver(client, copy.name);
  const result = await insideCopy(run, copy.name, work);
  const sessions = await sessionsSettled(client, copy.name, before);
  await client.query("UPDATE databases SET verified = verified || jsonb_build_object('sessions', $2::bigint) WHERE oid = $1", [
    copy.oid,
    sessions,
  ]);
  return result;
}

async function verifyCopy(run: Arming, snapshot: Snapshot, name: string): Promise<boolean> {
  const expected = await manifestOf(run, snapshot, name);
  const before = await sessionsEver(run.control.client, name);
  const { actual, statistics } = await insideCopy(run, name, async (client) => ({
    actual: await captureManifest(client),
    statistics: await quickStatistics(client, name),
  }));
  if (compareManifests(expected, actual).length > 0) return false;
  const sessions = await sessionsSettled(run.control.client, name, before);
  await run.control.client.query(
    "UPDATE databases SET verified = $2 WHERE oid = (SELECT oid::bigint FROM pg_database WHERE datname = $1)",
    [name, JSON.stringify({ ...statistics, sessions })],
  );
  return true;
}

/** Restores a copy of the snapshot beside the live database and verifies it. */
export async function arm(run: Arming, snapshot: Snapshot): Promise<CatalogueDatabase> {
  const { client } = run.control;
  for (const left of await copiesOf(client, snapshot)) if (left.verified === null) await dropCopy(client, left);
  const base = liveName(run.site, snapshot.database);
  const taken = await withoutOrphans(client, base);
  let serial = 1;
  while (taken.has(derivedName(base, `_armed_${snapshot.id}_${serial}`))) serial++;
  const name = derivedName(base, `_armed_${snapshot.id}_${serial}`);
  const driver = snapshot.driver as DriverName;
  const kept = { driver, location: snapshot.location };
  await requireSpace(client, endpointOf(run.site), await driverFor(run.site, client, driver).spaceNeededBytes({ snapshot: kept }));
  await driverFor(run.site, client, driver).restoreTo(kept, name);
  const entry = {
    name,
    database: snapshot.database,
    role: "armed" as const,
    lineage: { snapshot: { name: snapshot.name, generation: snapshot.generation, again: 0 }, quarantine: null },
    snapshotId: snapshot.id,
    epoch: snapshot.epoch,
  };
  await catalogue(client, { ...entry, verified: null });
  if (!(await verifyCopy(run, snapshot, name))) {
    const differences = compareManifests(
      snapshot.manifest as unknown as Manifest,
      await insideCopy(run, name, (session) => captureManifest(session)),
    );
    await dropCopy(
      client,
      (await copiesOf(client, snapshot)).find((copy) => copy.name === name)!,
    );
    throw new CopyDiffersError(name, differences);
  }
  return (await copiesOf(client, snapshot)).find((copy) => copy.name === name)!;
}

/** Names of all databases, after armed copies that were made but never entered in the catalogue are dropped. */
async function withoutOrphans(client: Client, base: string): Promise<Set<string>> {
  const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database");
  const names = new Set(rows.map(({ datname }) => datname));
  const entered = new Set((await catalogued(client)).map(({ name }) => name));
  for (const name of names) {
    if (!name.startsWith(derivedName(base, "_armed_")) || entered.has(name)) continue;
    await client.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`);
    names.delete(name);
  }
  return names;
}

async function dropCopy(client: Client, copy: CatalogueDatabase): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${quote(copy.name)} WITH (FORCE)`);
  await forget(client, copy.oid);
}

/** Snapshots that should be armed and are not, newest first. */
export async function toArm(client: Client, policy: "deploy" | "always" | "never"): Promise<Snapshot[]> {
  if (policy === "never") return [];
  const snapshots = (await readySnapshots(client)).reverse();
  const newest = new Map<string, Snapshot>();
  for (const snapshot of snapshots) if (!newest.has(snapshot.database)) newest.set(snapshot.database, snapshot);
  const wanted = policy === "always" ? snapshots : [...newest.values()];
  const missing: Snapshot[] = [];
  for (const snapshot of wanted) if (!(await isArmed(client, snapshot))) missing.push(snapshot);
  return missing;
}

/** Starts the background process; it ends by itself when nothing is left to arm. */
export function armInBackground(site: Site, policy: "deploy" | "always" | "never"): void {
  if (policy === "never") return;
  const folder = join(site.home, "arming");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { server, ...rest } = site;
  const { password, ...bare } = server;
  writeFileSync(join(folder, "site.json"), JSON.stringify({ site: { ...rest, server: bare }, policy }), { mode: 0o600 });
  const log = openSync(join(folder, "arming.log"), "a", 0o600);
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`./arm-main.${suffix}`, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, join(folder, "site.json")], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...(password === undefined ? {} : { BACKOUT_SERVER_PASSWORD: password }) },
  });
  child.unref();
  closeSync(log);
}
