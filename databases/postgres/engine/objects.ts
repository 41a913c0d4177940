import { endpointOf, liveName } from "../../../config/site.ts";
import type { SchemaObjects } from "../../../config/system/schema-objects.ts";
import type { InspectContext } from "../../engine.ts";
import { withSession } from "../connection.ts";

/** While the database is open. Reading the catalogue is loaded when it is asked for: few previews do. */
export async function objects({ site }: InspectContext, database: string): Promise<SchemaObjects> {
  const { readObjects } = await import("../schema-objects.ts");
  return withSession(endpointOf(site), liveName(site, database), readObjects);
}
