/**
 * The version of the collation a database was made with: where the server has another one by now, it refuses to copy the database, because indexes on
 * text may be in another order than it would put them.
 */
import type pg from "pg";
import { quote } from "../shared/identifiers.ts";

export interface CollationMismatch {
  database: string;
  recorded: string;
  /** Null: the server cannot tell. */
  actual: string | null;
}

/** A database that is to be copied cannot be. Nothing was changed. */
export class CollationMismatchError extends Error {
  readonly mismatches: CollationMismatch[];
  constructor(mismatches: CollationMismatch[]) {
    super(
      mismatches
        .map(({ database, recorded, actual }) => {
          const remedy = `REINDEX DATABASE ${quote(database)}; ALTER DATABASE ${quote(database)} REFRESH COLLATION VERSION`;
          return `database "${database}" was made with version ${recorded} of its collation and the server has ${actual ?? "none"}, so that the server copies it no more: run \`${remedy}\` in it, as its owner`;
        })
        .join("; "),
    );
    this.name = "CollationMismatchError";
    this.mismatches = mismatches;
  }
}

/** @throws CollationMismatchError naming those of `databases` that the server would not copy */
export async function requireCollations(client: pg.Client, databases: readonly string[]): Promise<void> {
  const known = await client.query("SELECT 1 FROM pg_proc WHERE proname = 'pg_database_collation_actual_version'");
  if (known.rowCount === 0) return;
  const { rows } = await client.query<CollationMismatch>(
    `SELECT datname AS database, datcollversion AS recorded, pg_database_collation_actual_version(oid) AS actual FROM pg_database
     WHERE datname = ANY ($1) AND datcollversion IS NOT NULL AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) ORDER BY 1`,
    [databases],
  );
  if (rows.length > 0) throw new CollationMismatchError(rows);
}
