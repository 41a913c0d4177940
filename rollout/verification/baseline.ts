/** What is recorded before a rollout closes anything, to compare with afterwards: rows per table, latency, flags. */
import { inspectionOf } from "../../databases/registry.ts";
import { inLive } from "../sessions.ts";
import { recordedMigrations } from "../../databases/shared/migrations/of-definition.ts";
import type { Run } from "../../config/run.ts";
import { readFlags } from "../steps/flags.ts";
import { tablesOf, countTables } from "../../databases/tables.ts";
import type { Pins } from "../../config/pins.ts";
import { definedSecret } from "../../config/secrets.ts";
import type { Baseline, RecordedMigrations } from "../../config/system/check.ts";
import { recordObjects } from "./recorded-objects.ts";

export async function captureBaseline(run: Run, from: Pins | null): Promise<Baseline> {
  const store = run.definition.flags;
  const at = new Date().toISOString();
  const [latencyMs, flags, objects, migrations] = await Promise.all([
    latency(run),
    store === undefined ? {} : inLive(run, store.database, (session) => readFlags(session, store), false).catch(() => ({})),
    recordObjects(run),
    migrationsNow(run),
  ]);
  return { at, release: from?.release ?? "", counts: {}, latencyMs, flags, objects, migrations };
}

/** What the copies of this rollout hold afterwards: the snapshot it takes, and the quarantine it leaves. */
async function migrationsNow(run: Run): Promise<Record<string, RecordedMigrations>> {
  const found: Record<string, RecordedMigrations> = {};
  for (const database of Object.keys(run.definition.databases)) {
    const recorded = recordedMigrations(await (await inspectionOf(run, database)).facts(run, database));
    if (recorded !== null) found[database] = recorded;
  }
  return found;
}

/** Counts every table where nothing writes any more, and keeps the figures in the rollout's record. */
export async function countInside(run: Run, fenced: boolean): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [database, { tables }] of Object.entries(run.definition.databases)) {
    const found = await inLive(run, database, async (session) => countTables(session, await tablesOf(session, tables)), fenced);
    // Of two databases with a table of one name the one that lists it is meant.
    for (const [table, rows] of Object.entries(found)) if (tables.includes(table) || !(table in counts)) counts[table] = rows;
  }
  await run.state.setCounts(run.epoch, counts);
  return counts;
}

const PROBES = 5;

/** Median of a few reads as a user makes them, milliseconds; null where nothing answers. */
async function latency({ site, definition }: Run): Promise<number | null> {
  if (definition.readProbe === undefined) return null;
  try {
    const read = await definition.readProbe({
      url: (service) => `http://127.0.0.1:${site.ports[service]}`,
      fetch: (url, init) => fetch(url, { signal: AbortSignal.timeout(1000), ...init }),
      secret: (name) => definedSecret(site, definition, name),
    });
    const times: number[] = [];
    for (let probe = 0; probe < PROBES; probe++) {
      const startedAt = performance.now();
      await read();
      times.push(performance.now() - startedAt);
    }
    return times.sort((a, b) => a - b)[Math.floor(PROBES / 2)] ?? null;
  } catch {
    return null;
  }
}
