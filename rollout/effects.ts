/** Effects outside the system that no rollback reverts, counted since the current release was deployed. */
import type { StateStore } from "../config/record.ts";
import type { InspectContext } from "../databases/engine.ts";
import { inLive } from "./sessions.ts";
import { hasTable } from "../databases/tables.ts";

export interface EffectCount {
  service: string;
  title: string;
  /** Null: they could not be counted. */
  rows: number | null;
  /** Why not; absent where they were counted. */
  unknown?: string;
}

export async function effectsSince(at: InspectContext & { state: StateStore }): Promise<EffectCount[]> {
  const since = (await at.state.lastForwardAt()) ?? new Date(0).toISOString();
  const counts: EffectCount[] = [];
  for (const effect of at.definition.effects) {
    const counted = inLive(
      at,
      effect.database,
      async (session) =>
        (await hasTable(session, effect.requiresTable))
          ? Number((await session.all<{ rows: number }>(effect.countSql, [since]))[0]?.rows ?? 0)
          : 0,
      false,
    );
    const { service, title } = effect;
    counts.push(
      await counted.then(
        (rows) => ({ service, title, rows }),
        (error: Error) => ({ service, title, rows: null, unknown: error.message }),
      ),
    );
  }
  return counts;
}
