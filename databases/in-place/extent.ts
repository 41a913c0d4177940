/** Which part of a hosted database is the system's own: what is dumped, cleared and restored, and what is left alone. */
import type { Client } from "pg";
import { STATE_SCHEMA } from "../postgres/state/schema.ts";

export interface Extent {
  /** `public`, and the schemas of roles this one is a member of. */
  schemas: string[];
  /** The provider's schemas, extensions' and backout's own. */
  leftAlone: string[];
}

/** Reads the catalog. */
export async function readExtent(client: Client): Promise<Extent> {
  const { rows } = await client.query<{ name: string; own: boolean }>(
    `SELECT n.nspname AS name, n.nspname <> $1 AND (n.nspname = 'public' OR pg_has_role(current_user, n.nspowner, 'MEMBER'))
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e') AS own
     FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1`,
    [STATE_SCHEMA],
  );
  return {
    schemas: rows.filter(({ own }) => own).map(({ name }) => name),
    leftAlone: [...new Set([STATE_SCHEMA, ...rows.filter(({ own }) => !own).map(({ name }) => name)])].sort(),
  };
}
