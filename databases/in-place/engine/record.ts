/** The catalogue's entries of what is no database of the server: dumps. They have numbers below zero, which no OID has. */
import type { Client } from "pg";
import pg from "pg";
import type { CatalogueDatabase, DatabaseRole } from "../../../config/record.ts";
import { STATE_SCHEMA } from "../../postgres/state/schema.ts";
import type { Lineage } from "../../../config/plan.ts";

export interface Entry extends Pick<CatalogueDatabase, "name" | "database" | "lineage" | "snapshotId" | "epoch"> {
  role: DatabaseRole;
  verified?: Record<string, unknown> | null;
}

/** The live database's entry, as one statement that can share the restore's transaction. */
export function liveStatement({ name, database, lineage, snapshotId, epoch }: Omit<Entry, "role">): string {
  return (
    `INSERT INTO ${STATE_SCHEMA}.databases (oid, name, database, role, lineage, snapshot_id, epoch) ` +
    `SELECT oid::bigint, ${text(name)}, ${text(database)}, 'live', ${json(lineage)}, ${snapshotId ?? "NULL"}, ${epoch} FROM pg_catalog.pg_database WHERE datname = current_database() ` +
    "ON CONFLICT (oid) DO UPDATE SET lineage = excluded.lineage, snapshot_id = excluded.snapshot_id, epoch = excluded.epoch, name = excluded.name, created_at = clock_timestamp()"
  );
}

/** A dump's entry: a quarantine, or a snapshot that was looked through. The same name again replaces it. */
export function dumpStatements({ name, database, role, lineage, snapshotId, epoch, verified }: Entry): string[] {
  const table = `${STATE_SCHEMA}.databases`;
  return [
    `DELETE FROM ${table} WHERE name = ${text(name)} AND oid < 0`,
    `INSERT INTO ${table} (oid, name, database, role, lineage, snapshot_id, epoch, verified) ` +
      `SELECT least(min(oid), 0) - 1, ${text(name)}, ${text(database)}, ${text(role)}, ${json(lineage)}, ${snapshotId ?? "NULL"}, ${epoch}, ${verified == null ? "NULL" : json(verified)} FROM ${table}`,
  ];
}

export async function enter(client: Client, entry: Entry): Promise<void> {
  await client.query(["BEGIN", ...dumpStatements(entry), "COMMIT"].join(";\n"));
}

function text(value: string): string {
  return pg.escapeLiteral(value);
}

function json(value: Lineage | Record<string, unknown>): string {
  return `${pg.escapeLiteral(JSON.stringify(value))}::jsonb`;
}
