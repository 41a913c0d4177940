/** The databases in the catalogue of the state database (live, pristine, standby, quarantined), by OID. */
import type { Client } from "pg";
import { NO_LINEAGE, type Lineage } from "../../../config/plan.ts";
import type { CatalogueDatabase } from "../../../config/record.ts";
import { databaseOfRow, type DatabaseRow } from "../../shared/state/rows.ts";

export { NO_LINEAGE };

/** Catalogued databases that exist, under the name they have now. */
export async function catalogued(client: Client): Promise<CatalogueDatabase[]> {
  const { rows } = await client.query<DatabaseRow>(
    // What is no database of the server, a dump, has a number below zero.
    `SELECT c.*, coalesce(d.datname, c.name) AS name FROM databases c LEFT JOIN pg_database d ON d.oid::bigint = c.oid
      WHERE d.oid IS NOT NULL OR c.oid < 0 ORDER BY c.created_at, c.oid`,
  );
  return rows.map((row) => databaseOfRow(row, <T>(value: unknown) => value as T | null));
}

/** Enters a database under its OID, or changes its entry. */
export async function catalogue(
  client: Client,
  entry: Pick<CatalogueDatabase, "name" | "database" | "role" | "lineage" | "snapshotId" | "epoch"> & {
    verified?: Record<string, unknown> | null;
  },
): Promise<void> {
  await client.query(
    `INSERT INTO databases (oid, name, database, role, lineage, snapshot_id, epoch, verified)
     SELECT oid::bigint, $1::text, $2, $3, $4, $5, $6, $7 FROM pg_database WHERE datname = $1::text
     ON CONFLICT (oid) DO UPDATE SET name = excluded.name, database = excluded.database, role = excluded.role, lineage = excluded.lineage,
       snapshot_id = excluded.snapshot_id, epoch = excluded.epoch, verified = excluded.verified,
       created_at = CASE WHEN databases.role = excluded.role THEN databases.created_at ELSE clock_timestamp() END`,
    [
      entry.name,
      entry.database,
      entry.role,
      JSON.stringify(entry.lineage),
      entry.snapshotId,
      entry.epoch,
      JSON.stringify(entry.verified ?? null),
    ],
  );
}

/** Lineage of the live database: what is known of the OID that bears its name now. A database backout never touched has none. */
export async function liveLineage(client: Client, live: string): Promise<{ exists: boolean; lineage: Lineage; oid: number | null }> {
  const { rows } = await client.query<{ oid: string; lineage: Lineage | null }>(
    "SELECT d.oid::bigint AS oid, c.lineage FROM pg_database d LEFT JOIN databases c ON c.oid = d.oid::bigint WHERE d.datname = $1",
    [live],
  );
  const row = rows[0];
  return row === undefined
    ? { exists: false, lineage: NO_LINEAGE, oid: null }
    : { exists: true, lineage: row.lineage ?? NO_LINEAGE, oid: Number(row.oid) };
}
