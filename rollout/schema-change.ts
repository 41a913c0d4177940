/** From which migration to which a rollout takes a database. Pure. */
import type { Snapshot } from "../config/record.ts";
import type { DatabasePlan } from "../config/plan.ts";
import type { SystemDefinition } from "../config/system/definition.ts";

/** @returns nothing where the schema stays, or one of its ends is not known */
export function schemaChange(
  definition: SystemDefinition,
  database: string,
  { action, head, up, back, backBy }: DatabasePlan,
  restored: Pick<Snapshot, "baseline"> | null,
): { schema?: { from: string | null; to: string | null } } {
  const order = definition.databases[database]!.migrations.map(({ name }) => name);
  const to = ((): string | null | undefined => {
    if (action.kind === "undo") return undefined;
    if (action.kind === "restore") return restored?.baseline?.migrations?.[database]?.head;
    if (up.length > 0) return up.at(-1)!;
    if (back.length > 0 && backBy !== "keep") return order[order.indexOf(back.at(-1)!) - 1] ?? null;
    return head;
  })();
  const from = action.kind === "create" ? null : head;
  return from === undefined || to === undefined || from === to ? {} : { schema: { from, to } };
}
