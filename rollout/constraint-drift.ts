/** Constraints that are otherwise than declared: somebody changed them by hand. Touches nothing. */
import type { Site } from "../config/site.ts";
import type { Pins } from "../config/pins.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { statesNow } from "../databases/postgres/constraint-states.ts";

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
