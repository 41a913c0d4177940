/** Effects outside the system that no rollback takes back, counted since the release that is left was deployed. */
import type { ControlRecord } from "../control/record.ts";
import type { Looking } from "./engine.ts";
import { inLive } from "./inside.ts";
import { hasTable } from "./tables.ts";

export interface EffectCount {
  component: string;
  title: string;
  rows: number;
}

export async function effectsSince(at: Looking & { control: ControlRecord }): Promise<EffectCount[]> {
  const since = (await at.control.lastForwardAt()) ?? new Date(0).toISOString();
  const counts: EffectCount[] = [];
  for (const effect of at.definition.effects) {
    const rows = await inLive(
      at,
      effect.database,
      async (session) =>
        (await hasTable(session, effect.requiresTable))
          ? Number((await session.all<{ rows: number }>(effect.countSql, [since]))[0]?.rows ?? 0)
          : 0,
      false,
    ).catch(() => 0);
    counts.push({ component: effect.component, title: effect.title, rows });
  }
  return counts;
}
