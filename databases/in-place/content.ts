/** What the system's own part of a database holds. Inside the fence, with policies that bind the owner lifted. */
import type { Client } from "pg";
import { tableNameSql } from "../shared/identifiers.ts";
import { captureManifest } from "../postgres/manifest.ts";
import type { Manifest } from "../postgres/manifest-shape.ts";
import type { Extent } from "./extent.ts";

/** Tables that an extension brought are not ours, and may not be ours to read. */
export async function captureContent(client: Client, { schemas, leftAlone }: Extent): Promise<Manifest> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT ${tableNameSql("n.nspname", "c.relname")} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname = ANY ($1)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1`,
    [schemas],
  );
  const tables = rows.map(({ name }) => name);
  return captureManifest(client, tables, { excludeSchemas: leftAlone });
}
