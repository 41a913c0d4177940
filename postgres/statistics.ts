/** How many rows changed, estimated from the server's counters: cheap at any size, and known not to be exact. */
import type pg from "pg";
import { tableNameSql } from "./identifiers.ts";

export interface Changes {
  inserted: number;
  updated: number;
  deleted: number;
}

export interface TableCounters extends Changes {
  oid: number;
}

export interface Statistics {
  /** The database the counters belong to: a copy counts from zero. */
  databaseOid: number;
  /** When the database's counters were last set to zero; `null`: never. */
  statsReset: string | null;
  /** When the server's own counters were last set to zero, as happens in crash recovery. */
  serverReset: string | null;
  database: Changes;
  /** By table. */
  tables: Record<string, TableCounters>;
}

/** Per table, or for all of them where nothing can be said. */
export type EstimatedChanges = Record<string, Changes | "unknown"> | "unknown";

const TABLES_SQL = `
  SELECT ${tableNameSql("schemaname", "relname")} AS name, relid AS oid,
    n_tup_ins::float8 AS inserted, n_tup_upd::float8 AS updated, n_tup_del::float8 AS deleted
  FROM pg_stat_user_tables ORDER BY 1`;

const DATABASE_SQL = `
  SELECT d.datid AS oid, d.stats_reset::text AS reset, b.stats_reset::text AS "serverReset",
    d.tup_inserted::float8 AS inserted, d.tup_updated::float8 AS updated, d.tup_deleted::float8 AS deleted
  FROM pg_stat_database d, pg_stat_bgwriter b WHERE d.datname = $1`;

/** The counters of a database; `client` is a session in it. A session reports when it ends, and what it did last up to ten seconds later. */
export async function quickStatistics(client: pg.Client, database: string): Promise<Statistics> {
  await client.query("SELECT pg_stat_clear_snapshot()");
  const { rows } = await client.query<Changes & { oid: number; reset: string | null; serverReset: string | null }>(DATABASE_SQL, [
    database,
  ]);
  const row = rows[0];
  if (row === undefined) throw new Error(`there are no statistics of a database "${database}"`);
  const tables = await client.query<TableCounters & { name: string }>(TABLES_SQL);
  const { oid, reset, serverReset, ...counters } = row;
  return {
    databaseOid: oid,
    statsReset: reset,
    serverReset,
    database: counters,
    tables: Object.fromEntries(tables.rows.map(({ name, ...table }) => [name, table])),
  };
}

/**
 * What changed between two readings. `unknown` wherever counters may have been lost in between: a crash, a reset, another database, a table made anew.
 * Rolled-back rows are counted and TRUNCATE is not: an estimate.
 */
export function estimateChanges(before: Statistics, after: Statistics): EstimatedChanges {
  const sameCounters =
    before.databaseOid === after.databaseOid &&
    before.statsReset === after.statsReset &&
    before.serverReset === after.serverReset &&
    grew(before.database, after.database);
  if (!sameCounters) return "unknown";
  const names = [...new Set([...Object.keys(before.tables), ...Object.keys(after.tables)])].sort();
  return Object.fromEntries(names.map((name) => [name, tableChanges(before.tables[name], after.tables[name])]));
}

function tableChanges(before: TableCounters | undefined, after: TableCounters | undefined): Changes | "unknown" {
  if (after === undefined) return "unknown";
  if (before === undefined) return { inserted: after.inserted, updated: after.updated, deleted: after.deleted };
  if (before.oid !== after.oid || !grew(before, after)) return "unknown";
  return { inserted: after.inserted - before.inserted, updated: after.updated - before.updated, deleted: after.deleted - before.deleted };
}

function grew(before: Changes, after: Changes): boolean {
  return after.inserted >= before.inserted && after.updated >= before.updated && after.deleted >= before.deleted;
}

/** From the sizes the planner knows: free, and good enough to choose between counting and estimating. */
export async function approximateRows(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ rows: string }>(
    "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint AS rows FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')",
  );
  return Number(rows[0]?.rows);
}
