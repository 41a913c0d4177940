/** What is recorded before a crossing closes anything, to compare with afterwards: rows per table, latency, flags. */
import type { Client } from "pg";
import { sessionInside } from "../postgres/fence.ts";
import type { Pins } from "../declared/pins.ts";
import { endpointOf, liveName, secretOf } from "../declared/site.ts";
import { connect, qualified, withSession } from "../postgres/connection.ts";
import type { Run } from "../crossing/run.ts";
import type { Baseline } from "../systems/definition.ts";

export async function captureBaseline(run: Run, from: Pins | null): Promise<Baseline> {
  const flags: Record<string, boolean> = {};
  const store = run.definition.flags;
  if (store !== undefined)
    await withSession(endpointOf(run.site), liveName(run.site, store.database), async (client) => {
      const { rows } = await client.query<{ name: string; enabled: boolean }>(store.readSql);
      for (const { name, enabled } of rows) flags[name] = enabled;
    }).catch(() => undefined);
  return { at: new Date().toISOString(), release: from?.release ?? "", counts: {}, latencyMs: await latency(run), flags };
}

/** Counts every table where nothing writes any more, and keeps the figures in the crossing's record. */
export async function countInside(run: Run, fenced: boolean): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [database, { tables }] of Object.entries(run.definition.databases)) {
    const live = liveName(run.site, database);
    const client = fenced ? await sessionInside(endpointOf(run.site), run.control.client, live) : await connect(endpointOf(run.site), live);
    Object.assign(counts, await countTables(client, tables).finally(() => client.end()));
  }
  await run.control.setCounts(run.epoch, counts);
  return counts;
}

export async function countTables(client: Client, tables: string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of tables) {
    const { rows: found } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [qualified(table)]);
    if (found[0]?.found !== true) continue;
    const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${qualified(table)}`);
    counts[table] = Number(rows[0]?.rows);
  }
  return counts;
}

const PROBES = 5;

/** Median of a few reads as a user makes them, milliseconds; null where nothing answers. */
async function latency({ site, definition }: Run): Promise<number | null> {
  if (definition.readProbe === undefined) return null;
  try {
    const read = await definition.readProbe({
      url: (component) => `http://127.0.0.1:${site.ports[component]}`,
      fetch: (url, init) => fetch(url, { signal: AbortSignal.timeout(1000), ...init }),
      secret: (name) => secretOf(site, name),
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
