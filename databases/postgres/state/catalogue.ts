/** The catalogue of the state database: snapshots with generations, and the databases (live, pristine, standby, quarantined) by OID. */
import type { Client } from "pg";
import { NO_LINEAGE, type Lineage } from "../../../config/plan.ts";
import type { CatalogueDatabase, DatabaseRole, NewSnapshot, Snapshot, SnapshotFacts } from "../../../config/record.ts";

export { NO_LINEAGE };

interface SnapshotRow extends Omit<Snapshot, "takenAt" | "sizeBytes"> {
  taken_at: Date;
  size_bytes: string | null;
}

function snapshotOfRow(row: SnapshotRow): Snapshot {
  const { taken_at, size_bytes, ...rest } = row;
  return { ...rest, takenAt: taken_at.toISOString(), sizeBytes: size_bytes === null ? null : Number(size_bytes) };
}

/** Snapshots that can be restored, oldest first. */
export async function readySnapshots(client: Client): Promise<Snapshot[]> {
  const { rows } = await client.query<SnapshotRow>("SELECT * FROM snapshots WHERE state = 'ready' ORDER BY id");
  return rows.map(snapshotOfRow);
}

export async function snapshotOfEpoch(client: Client, database: string, name: string, epoch: number): Promise<Snapshot | null> {
  const { rows } = await client.query<SnapshotRow>("SELECT * FROM snapshots WHERE database = $1 AND name = $2 AND epoch = $3", [
    database,
    name,
    epoch,
  ]);
  return rows[0] === undefined ? null : snapshotOfRow(rows[0]);
}

/** A new generation of a snapshot, in state `making`: a name that was used before gets the next number. */
export async function beginSnapshot(client: Client, snapshot: NewSnapshot, location: (generation: number) => string): Promise<Snapshot> {
  const { rows: last } = await client.query<{ generation: number }>(
    "SELECT coalesce(max(generation), 0)::int + 1 AS generation FROM snapshots WHERE database = $1 AND name = $2",
    [snapshot.database, snapshot.name],
  );
  const generation = last[0]!.generation;
  const { rows } = await client.query<SnapshotRow>(
    `INSERT INTO snapshots (database, name, generation, driver, location, epoch, release, automatic, state)
     VALUES ($1,$2,$3,$4,$5,$6,$7,$8,'making') RETURNING *`,
    [
      snapshot.database,
      snapshot.name,
      generation,
      snapshot.driver,
      location(generation),
      snapshot.epoch,
      snapshot.release,
      snapshot.automatic,
    ],
  );
  return snapshotOfRow(rows[0]!);
}

export async function finishSnapshot(client: Client, id: number, facts: SnapshotFacts): Promise<void> {
  await client.query(
    "UPDATE snapshots SET state = 'ready', manifest = $2, statistics = $3, baseline = $4, size_bytes = $5, taken_at = clock_timestamp() WHERE id = $1",
    [id, JSON.stringify(facts.manifest), JSON.stringify(facts.statistics), JSON.stringify(facts.baseline), facts.sizeBytes],
  );
}

export async function setManifest(client: Client, id: number, manifest: unknown): Promise<void> {
  await client.query("UPDATE snapshots SET manifest = $2 WHERE id = $1", [id, JSON.stringify(manifest)]);
}

export async function setSnapshotState(client: Client, id: number, state: "removing" | "removed"): Promise<void> {
  await client.query("UPDATE snapshots SET state = $2 WHERE id = $1", [id, state]);
}

/** Those of which something may be there that nobody goes back to: half removed, or half made by a rollout before this one. */
export async function remainders(client: Client, epoch: number): Promise<Snapshot[]> {
  const { rows } = await client.query<SnapshotRow>(
    "SELECT * FROM snapshots WHERE state = 'removing' OR (state = 'making' AND epoch < $1) ORDER BY id",
    [epoch],
  );
  return rows.map(snapshotOfRow);
}

interface DatabaseRow {
  oid: string;
  name: string;
  current_name: string | null;
  database: string;
  role: DatabaseRole;
  lineage: Lineage;
  snapshot_id: number | null;
  epoch: number;
  created_at: Date;
  verified: Record<string, unknown> | null;
}

/** Catalogued databases that exist, under the name they have now. */
export async function catalogued(client: Client): Promise<CatalogueDatabase[]> {
  const { rows } = await client.query<DatabaseRow>(
    // What is no database of the server, a dump, has a number below zero.
    "SELECT c.*, d.datname AS current_name FROM databases c LEFT JOIN pg_database d ON d.oid::bigint = c.oid WHERE d.oid IS NOT NULL OR c.oid < 0 ORDER BY c.created_at, c.oid",
  );
  return rows.map((row) => ({
    oid: Number(row.oid),
    name: row.current_name ?? row.name,
    database: row.database,
    role: row.role,
    lineage: row.lineage,
    snapshotId: row.snapshot_id,
    epoch: row.epoch,
    createdAt: row.created_at.toISOString(),
    verified: row.verified,
  }));
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

export async function forget(client: Client, oid: number): Promise<void> {
  await client.query("DELETE FROM databases WHERE oid = $1", [oid]);
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
