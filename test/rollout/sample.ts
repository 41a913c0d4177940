/** PFA Vanguard between two releases, as facts. */
import { editPins } from "../../config/edit.ts";
import type { Pins } from "../../config/pins.ts";
import { scopeEdits } from "../../config/scope.ts";
import type { RolloutPlan, DatabaseFacts, PlanInput } from "../../config/plan.ts";
import { planRollout } from "../../config/make-plan.ts";
import { definition, pinsOf, STACK } from "../config/sample.ts";

export { definition };

export const MIGRATIONS = definition.databases["pfa"]!.migrations.map(({ name }) => name);
export const SNAPSHOT = { database: "pfa", name: "before-v4.0.0", generation: 1 };

/** Pins in force at v4.0.0 unless changed, as the state database gives them back: its jsonb has an order of keys of its own. */
export function recorded(change: Record<string, unknown> = {}, text?: string): Pins {
  return asJsonb(pinsOf(change, text)) as Pins;
}

/** Shorter keys first, then by bytes. */
export function asJsonb(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asJsonb);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
      .map(([key, inner]) => [key, asJsonb(inner)]),
  );
}

export function facts(change: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return { exists: true, lineage: { snapshot: null, quarantine: null }, applied: MIGRATIONS, failed: [], ...change };
}

/** What leads from v4.0.0 to `to`, on a database with every migration and one snapshot. */
export function plan(to: Pins, change: Partial<PlanInput> = {}): RolloutPlan {
  return planRollout({
    definition,
    from: recorded(),
    to,
    unfinished: false,
    order: ["v1.0.0", "v3.0.0", "v4.0.0"],
    scope: null,
    databases: { pfa: facts() },
    snapshots: [SNAPSHOT],
    ...change,
  });
}

export function afterScope(scope: string, text: string = STACK): Pins {
  return pinsOf({}, editPins(text, scopeEdits(definition, { scope, to: "v3.0.0", snapshots: { pfa: "before-v4.0.0@1" }, block: null })));
}
