/** Records the schema objects of every database of a system while it is open, by name in the definition. */
import type { SchemaObjects } from "../../config/system/schema-objects.ts";
import type { InspectContext } from "../../databases/engine.ts";
import { inspectionOf } from "../../databases/registry.ts";

/** A database that cannot be reached is left out: nothing is known of it. */
export async function recordObjects(at: InspectContext): Promise<Record<string, SchemaObjects>> {
  const recorded: Record<string, SchemaObjects> = {};
  for (const database of Object.keys(at.definition.databases)) {
    const found = await (await inspectionOf(at, database)).objects(at, database).catch(() => null);
    if (found !== null) recorded[database] = found;
  }
  return recorded;
}
