/** Owner, grants, settings, limit and comment of a live database as they are while it is open to everybody, kept in the state database. */
import type { Client } from "pg";
import type { DatabaseProperties } from "../properties.ts";

const TABLE =
  "CREATE TABLE IF NOT EXISTS properties (database text PRIMARY KEY, properties jsonb NOT NULL, saved_at timestamptz NOT NULL DEFAULT clock_timestamp())";

export async function saveProperties(client: Client, database: string, properties: DatabaseProperties): Promise<void> {
  await client.query(TABLE);
  await client.query(
    "INSERT INTO properties (database, properties) VALUES ($1, $2) ON CONFLICT (database) DO UPDATE SET properties = excluded.properties, saved_at = clock_timestamp()",
    [database, JSON.stringify(properties)],
  );
}

export async function savedProperties(client: Client, database: string): Promise<DatabaseProperties | null> {
  await client.query(TABLE);
  const { rows } = await client.query<{ properties: DatabaseProperties }>("SELECT properties FROM properties WHERE database = $1", [
    database,
  ]);
  return rows[0]?.properties ?? null;
}
