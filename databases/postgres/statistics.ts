/** How many rows changed, estimated from the server's counters: cheap at any size, and known not to be exact. */
import type pg from "pg";
import { STATE_SCHEMA } from "./state/schema.ts";
import { tableNameSql } from "../shared/identifiers.ts";

export interface Changes {
  inserted: number;
  updated: number;
  deleted: number;
}

export interface TableCounters extends Changes {
  oid: number;
  /** The file its rows are in: another one as soon as the table is emptied or written anew at once. Absent in records from before; null for none. */
  file?: number | null;
  /** The table whose partition it is; absent where it is none. */
  root?: string;
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

export interface Estimate {
  tables: Record<string, Changes>;
  /** Tables of which the counters tell nothing, each with the reason. */
  unknown: Record<string, string>;
}

const TABLES_SQL = `
  SELECT ${tableNameSql("s.schemaname", "s.relname")} AS name, s.relid AS oid, pg_relation_filenode(s.relid)::bigint::float8 AS file,
    CASE WHEN c.relispartition THEN ${tableNameSql("rn.nspname", "r.relname")} END AS root,
    n_tup_ins::float8 AS inserted, n_tup_upd::float8 AS updated, n_tup_del::float8 AS deleted
  FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
    LEFT JOIN pg_class r ON r.oid = pg_partition_root(s.relid) LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
  WHERE (s.schemaname !~ '^pg_' AND s.schemaname NOT IN ('information_schema', '${STATE_SCHEMA}')) OR s.relid = 'pg_catalog.pg_largeobject'::regclass
  ORDER BY 1`;

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
  const tables = await client.query<TableCounters & { name: string; root: string | null }>(TABLES_SQL);
  const { oid, reset, serverReset, ...counters } = row;
  return {
    databaseOid: oid,
    statsReset: reset,
    serverReset,
    database: counters,
    tables: Object.fromEntries(tables.rows.map(({ name, root, ...table }) => [name, root === null ? table : { ...table, root }])),
  };
}

/** Nothing can be said from the counters: why. */
export class CountersLostError extends Error {
  constructor(why: string) {
    super(`the server's counters tell nothing: ${why}`);
    this.name = "CountersLostError";
  }
}

/**
 * What changed between two readings, partitions as their root. `unknown` where counters do not tell: a table that was emptied, written anew or dropped.
 * Rolled-back rows are counted: an estimate.
 * @throws CountersLostError after a crash or a reset, or of another database
 */
export function estimateChanges(before: Statistics, after: Statistics): Estimate {
  if (before.databaseOid !== after.databaseOid) throw new CountersLostError("they are another database's");
  const reset =
    before.statsReset !== after.statsReset || before.serverReset !== after.serverReset || !grew(before.database, after.database);
  if (reset) throw new CountersLostError("they were reset since, as happens in a crash");
  const tables = new Map<string, Changes>();
  const unknown = new Map<string, string>();
  const earlier = new Map(Object.entries(before.tables).map(([name, counters]) => [counters.oid, { name, ...counters }]));
  for (const [own, now] of Object.entries(after.tables)) {
    const name = now.root ?? own;
    const was = earlier.get(now.oid);
    earlier.delete(now.oid);
    const why = was === undefined ? null : whyUnknown(was, now);
    if (why !== null) unknown.set(name, why);
    tables.set(name, sum(tables.get(name), difference(was, now)));
  }
  for (const { name, root } of earlier.values())
    unknown.set(root ?? name, root === undefined ? "it was dropped" : `its partition ${name} was dropped`);
  for (const name of unknown.keys()) tables.delete(name);
  return { tables: Object.fromEntries([...tables].sort()), unknown: Object.fromEntries(unknown) };
}

function whyUnknown(was: TableCounters, now: TableCounters): string | null {
  if (!grew(was, now)) return "its counters were reset";
  if (was.file === undefined) return "it is not recorded whether it was emptied since";
  return was.file === now.file ? null : "it was emptied or written anew at once (TRUNCATE, ALTER TABLE, VACUUM FULL)";
}

function difference(was: Changes | undefined, now: Changes): Changes {
  return {
    inserted: now.inserted - (was?.inserted ?? 0),
    updated: now.updated - (was?.updated ?? 0),
    deleted: now.deleted - (was?.deleted ?? 0),
  };
}

function sum(one: Changes | undefined, other: Changes): Changes {
  return {
    inserted: (one?.inserted ?? 0) + other.inserted,
    updated: (one?.updated ?? 0) + other.updated,
    deleted: (one?.deleted ?? 0) + other.deleted,
  };
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
