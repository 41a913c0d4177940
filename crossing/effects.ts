/** Effects outside the system that no rollback takes back, counted since the release that is left was deployed. */
import { endpointOf, liveName, type Site } from "../declared/site.ts";
import type { ControlStore } from "../control/store.ts";
import { qualified, withSession } from "../postgres/connection.ts";
import type { SystemDefinition } from "../systems/definition.ts";

export interface EffectCount {
  component: string;
  title: string;
  rows: number;
}

export async function effectsSince(site: Site, definition: SystemDefinition, control: ControlStore): Promise<EffectCount[]> {
  const since = await lastForward(control);
  const counts: EffectCount[] = [];
  for (const effect of definition.effects) {
    const rows = await withSession(endpointOf(site), liveName(site, effect.database), async (client) => {
      const { rows: found } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [
        qualified(effect.requiresTable),
      ]);
      if (found[0]?.found !== true) return 0;
      return Number((await client.query<{ rows: number }>(effect.countSql, [since])).rows[0]?.rows ?? 0);
    }).catch(() => 0);
    counts.push({ component: effect.component, title: effect.title, rows });
  }
  return counts;
}

/** Start of the last crossing to a newer release. */
async function lastForward(control: ControlStore): Promise<string> {
  const { rows } = await control.client.query<{ started_at: Date }>(
    "SELECT started_at FROM crossings WHERE (plan->>'forward')::boolean AND opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1",
  );
  return (rows[0]?.started_at ?? new Date(0)).toISOString();
}
