/** The files in the catalogue of a state file (live, standby, quarantined), by identity, and the swaps that have begun. */
import { realpathSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Lineage } from "../../../config/plan.ts";
import { all, atomically, first, run } from "../database.ts";
import { identityOf } from "../identity.ts";
import { databaseOfRow, type DatabaseRow } from "../../shared/state/rows.ts";
import { NOW } from "./file-schema.ts";
import type { CatalogueDatabase } from "../../../config/record.ts";

/** A swap of files that has begun: written before the first name changes, gone with the catalogue's change after the last. */
export interface Swap {
  database: string;
  epoch: number;
  live: string;
  replacement: string;
  quarantine: string;
  /** Name of the quarantine in the catalogue. */
  quarantineName: string;
  /** Identity of the file that is to be set aside. */
  oldIdentity: string;
  newIdentity: string;
  oldLineage: Lineage;
  newLineage: Lineage;
  snapshotId: number | null;
}

export interface FileEntry extends Pick<CatalogueDatabase, "name" | "database" | "role" | "lineage" | "snapshotId" | "epoch"> {
  path: string;
  identity: string;
  verified?: Record<string, unknown> | null;
}

/** Documents are JSON text. */
export function documentOf<T>(value: unknown): T | null {
  return value === null ? null : (JSON.parse(value as string) as T);
}

interface FileRow extends DatabaseRow {
  oid: number;
  identity: string;
  path: string;
}

/** The stack's home: the state file lies in a folder of its own in it. */
function homesOf(db: DatabaseSync): string[] {
  const home = dirname(dirname(db.location()!));
  return [...new Set([home, realpathSync(home)])];
}

/** What lies in the home is known by its place in it: a home may be moved. */
export function kept(db: DatabaseSync, path: string): string {
  const home = homesOf(db).find((folder) => path.startsWith(folder + sep));
  return home === undefined ? path : relative(home, path);
}

export function placed(db: DatabaseSync, path: string): string {
  return resolve(homesOf(db)[0]!, path);
}

function enter(db: DatabaseSync, entry: FileEntry): void {
  run(
    db,
    `INSERT INTO databases (identity, name, path, database, role, lineage, snapshot_id, epoch, verified, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ${NOW})
     ON CONFLICT (identity) DO UPDATE SET name = excluded.name, path = excluded.path, database = excluded.database, role = excluded.role,
       lineage = excluded.lineage, snapshot_id = excluded.snapshot_id, epoch = excluded.epoch, verified = excluded.verified,
       created_at = CASE WHEN databases.role = excluded.role THEN databases.created_at ELSE excluded.created_at END`,
    [
      entry.identity,
      entry.name,
      kept(db, entry.path),
      entry.database,
      entry.role,
      entry.lineage,
      entry.snapshotId,
      entry.epoch,
      entry.verified,
    ],
  );
}

export const fileCatalogue = {
  /** Entries whose file lies where it is said to lie: one that was put there since by somebody else is another file. */
  catalogued(db: DatabaseSync): CatalogueDatabase[] {
    return this.entries(db).map((row) => databaseOfRow(row, documentOf));
  },
  entries(db: DatabaseSync): FileRow[] {
    return all<FileRow>(db, "SELECT * FROM databases ORDER BY created_at, oid")
      .map((row) => ({ ...row, path: placed(db, row.path) }))
      .filter(({ path, identity }) => identityOf(path) === identity);
  },

  enter,

  lineageOf(db: DatabaseSync, identity: string): Lineage | null {
    const row = first<{ lineage: string }>(db, "SELECT lineage FROM databases WHERE identity = $1", [identity]);
    return row === null ? null : (JSON.parse(row.lineage) as Lineage);
  },

  begunSwap(db: DatabaseSync, database: string): Swap | null {
    const row = first<{ swap: string }>(db, "SELECT swap FROM swaps WHERE database = $1", [database]);
    return row === null ? null : (JSON.parse(row.swap) as Swap);
  },
  beginSwap(db: DatabaseSync, swap: Swap): void {
    run(db, `INSERT INTO swaps (database, swap, begun_at) VALUES ($1, $2, ${NOW})`, [swap.database, swap]);
  },
  dropSwap(db: DatabaseSync, database: string): void {
    run(db, "DELETE FROM swaps WHERE database = $1", [database]);
  },
  /** Both files under their new names, with their lineage, and the swap done: in one transaction. */
  finishSwap(db: DatabaseSync, swap: Swap): void {
    const { database, epoch } = swap;
    atomically(db, () => {
      enter(db, {
        identity: swap.oldIdentity,
        name: swap.quarantineName,
        path: swap.quarantine,
        database,
        role: "quarantine",
        lineage: swap.oldLineage,
        snapshotId: null,
        epoch,
      });
      enter(db, {
        identity: swap.newIdentity,
        name: database,
        path: swap.live,
        database,
        role: "live",
        lineage: swap.newLineage,
        snapshotId: swap.snapshotId,
        epoch,
      });
      run(db, "DELETE FROM swaps WHERE database = $1", [database]);
    });
  },
};
