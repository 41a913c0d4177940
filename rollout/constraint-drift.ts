/** Constraints that are otherwise than declared: somebody changed them by hand. Touches nothing. */
import { endpointOf, liveName, type Site } from "../config/site.ts";
import type { Pins } from "../config/pins.ts";
import { UnreachableError, withSession } from "../databases/postgres/connection.ts";
import { findConstraint } from "../databases/postgres/constraints.ts";
import type { Client } from "pg";
import type { ConstraintState } from "../config/system/constraint.ts";
import type { SystemDefinition } from "../config/system/definition.ts";

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

/** In words, one line each. */
export async function constraintDrift(site: Site, definition: SystemDefinition, pins: Pins): Promise<string[]> {
  const now = await statesNow(site, definition);
  return Object.entries(pins.constraints ?? {}).flatMap(([name, declared]) => {
    const found = now[name];
    const { kind, table } = definition.constraints![name]!;
    if (found === undefined || found === declared || (kind === "trigger" && found === "enforced" && declared === "unvalidated")) return [];
    return [`${name} of ${table} is ${found} although it is declared ${declared}: somebody changed it by hand, \`up\` puts it right`];
  });
}
