/** What is recorded before a crossing closes anything, to compare with afterwards: rows per table, latency, flags. */
import type { Client } from "pg";
import { sessionInside } from "../postgres/fence.ts";
import type { Pins } from "../declared/pins.ts";
import { endpointOf, liveName } from "../declared/site.ts";
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

/** Median of a few health requests to the first service, milliseconds; null where nothing answers. */
async function latency(run: Run): Promise<number | null> {
  const [component, definition] = Object.entries(run.definition.components).find(([, { kind, health }]) => kind === "service" && health !== undefined) ?? [];
  if (component === undefined || definition?.health === undefined) return null;
  const port = run.site.ports[`${component}-upstream`] ?? run.site.ports[component];
  const times: number[] = [];
  for (let probe = 0; probe < 5; probe++) {
    const startedAt = performance.now();
    try {
      const answer = await fetch(`http://127.0.0.1:${port}${definition.health.path}`, { signal: AbortSignal.timeout(1000) });
      await answer.arrayBuffer();
      if (answer.ok) times.push(performance.now() - startedAt);
    } catch {
      return null;
    }
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? null;
}
