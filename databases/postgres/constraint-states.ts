/** What the catalogue says of a definition's constraints. */
import type { Client } from "pg";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { ConstraintState } from "../../config/system/constraint.ts";
import { findConstraint } from "./constraints.ts";
import { type Site, endpointOf, liveName } from "../../config/site.ts";
import { withSession } from "./connection.ts";
import { UnreachableError } from "../shared/unreachable.ts";

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

/** States by constraint over all databases; a database that cannot be looked into says nothing. */
export async function statesNow(site: Site, definition: SystemDefinition): Promise<Record<string, ConstraintState>> {
  const states: Record<string, ConstraintState> = {};
  for (const database of new Set(Object.values(definition.constraints ?? {}).map((constraint) => constraint.database)))
    try {
      Object.assign(
        states,
        await withSession(endpointOf(site), liveName(site, database), (client) => constraintStates(client, definition, database)),
      );
    } catch (error) {
      if (!(error instanceof UnreachableError) && (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  return states;
}
