/** Constraints that are otherwise than declared: somebody changed them by hand. Touches nothing. */
import type { Site } from "../config/site.ts";
import type { Pins } from "../config/pins.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { ConstraintState } from "../config/system/constraint.ts";
import { constraintsOf } from "../databases/registry.ts";
import { UnreachableError } from "../databases/shared/unreachable.ts";

/** State by constraint over all databases. A database that cannot be reached is left out. */
export async function statesNow(site: Site, definition: SystemDefinition): Promise<Record<string, ConstraintState>> {
  const states: Record<string, ConstraintState> = {};
  for (const database of new Set(Object.values(definition.constraints ?? {}).map((constraint) => constraint.database)))
    try {
      const at = { site, definition };
      Object.assign(states, await (await constraintsOf(at, database)).states(at, database));
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
    return [`${name} of ${table} is ${found} although it is declared ${declared}: somebody changed it by hand; run \`up\` to fix it`];
  });
}
