/** Records the objects of every PostgreSQL database of a system as they are while it is open, by name of the definition. */
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { openData } from "./data-access.ts";
import { readObjects } from "../../databases/postgres/schema-objects.ts";
import type { SchemaObjects } from "../../config/system/schema-objects.ts";

/** A database that cannot be reached is left out: nothing is known of it. */
export async function recordObjects(site: Site, definition: SystemDefinition): Promise<Record<string, SchemaObjects>> {
  const data = openData(site);
  const objects: Record<string, SchemaObjects> = {};
  try {
    for (const [name, { engine }] of Object.entries(definition.databases)) {
      if (engine !== "postgres") continue;
      const found = await data
        .database(name)
        .then(readObjects)
        .catch(() => null);
      if (found !== null) objects[name] = found;
    }
  } finally {
    await data.end();
  }
  return objects;
}
