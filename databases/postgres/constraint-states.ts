/** What the catalogue says of a definition's constraints. */
import type { Client } from "pg";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { ConstraintState } from "../../config/system/constraint.ts";
import { findConstraint } from "./constraints.ts";

/** What the catalogue says of each constraint of one database. */
export async function constraintStates(
  client: Client,
  definition: SystemDefinition,
  database: string,
): Promise<Record<string, ConstraintState>> {
  const states: Record<string, ConstraintState> = {};
  for (const [name, constraint] of Object.entries(definition.constraints ?? {})) {
    if (constraint.database !== database) continue;
    const found = await findConstraint(client, constraint.table, name);
    states[name] = found?.enforced !== true ? "dropped" : found.validated ? "enforced" : "unvalidated";
  }
  return states;
}
