/** The objects of a database by name and definition, as recorded before a deployment, compared with what is there now. */
import type { Client } from "pg";
import type { SchemaObjects } from "../../config/system/schema-objects.ts";
import { captureManifest, compareManifests } from "./manifest.ts";

/** Kinds of objects that can be compared; `sequences` by name alone, since their values move. */
export type ObjectKind = keyof SchemaObjects;

/** Schemas that hold nothing of the system's own. */
const NOT_THE_SYSTEMS = ["backout_state", "supabase_migrations"];

/** Reads the catalog; counts no table. `client` is a session in the database. */
export async function readObjects(client: Client): Promise<SchemaObjects> {
  const { tables: _none, ...objects } = await captureManifest(client, [], { excludeSchemas: NOT_THE_SYSTEMS });
  return objects;
}

/**
 * One line per difference; empty when there is none. Not `exact`: only what is missing counts, since a newer release may
 * bring more and change what there was. Of materialised views only whether they are filled counts, of sequences only that they exist.
 */
export function objectDifferences(
  recorded: SchemaObjects,
  now: SchemaObjects,
  kinds: readonly ObjectKind[],
  { exact }: { exact: boolean },
): string[] {
  const lines = compareManifests({ tables: {}, ...namesOnly(recorded) }, { tables: {}, ...namesOnly(now) }, [...kinds]);
  return exact ? lines : lines.filter((line) => line.endsWith(" is missing"));
}

function namesOnly(objects: SchemaObjects): SchemaObjects {
  return {
    ...objects,
    sequences: Object.fromEntries(Object.keys(objects.sequences).map((name) => [name, null])),
    materializedViews: Object.fromEntries(
      Object.entries(objects.materializedViews).map(([name, { populated }]) => [name, { populated, rows: null }]),
    ),
  };
}
