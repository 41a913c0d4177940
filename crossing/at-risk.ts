/** Data at risk: rows written since the data a pin goes back to, per table, counted row by row or estimated from statistics. */
import type { Client } from "pg";
import { endpointOf, liveName } from "../declared/site.ts";
import { withCopy } from "./arming.ts";
import { catalogued, liveLineage, readySnapshots } from "../control/catalogue.ts";
import type { ControlStore, Snapshot } from "../control/store.ts";
import { compareDatabases } from "../postgres/comparison.ts";
import { withSession } from "../postgres/connection.ts";
import { sessionInside } from "../postgres/fence.ts";
import { estimateChanges, quickStatistics, type EstimatedChanges, type Statistics } from "../postgres/statistics.ts";
import type { DataAction } from "./plan.ts";
import type { Run } from "./run.ts";

export interface RowChanges {
  inserted: number;
  updated: number;
  deleted: number;
}
export type RowsAtRisk = Record<string, RowChanges>;

/** Up to this many rows counting takes no longer than a person notices. */
export const COUNT_UP_TO_ROWS = 20_000;

export interface AtRisk {
  rows: RowsAtRisk;
  how: "counted" | "estimated";
}

type Looking = Pick<Run, "site" | "definition"> & { control: ControlStore };

/** The snapshot against which "since" is measured: the one that is restored, or, for an undo, the one the live data descends from. */
export async function baseSnapshot(run: Looking, database: string, action: DataAction): Promise<Snapshot | null> {
  const snapshots = (await readySnapshots(run.control.client)).filter((snapshot) => snapshot.database === database);
  if (action.kind === "restore")
    return snapshots.find(({ name, generation }) => name === action.snapshot && generation === action.generation) ?? null;
  const { lineage } = await liveLineage(run.control.client, liveName(run.site, database));
  const from = lineage.snapshot;
  return from === null ? null : (snapshots.find(({ name, generation }) => name === from.name && generation === from.generation) ?? null);
}

/** Null where there is nothing to compare with. */
export async function atRisk(run: Looking, database: string, action: DataAction, exact: boolean): Promise<AtRisk | null> {
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) return null;
  const live = liveName(run.site, database);
  const [statistics, rows] = await withSession(
    endpointOf(run.site),
    live,
    async (client) => [await quickStatistics(client, live), await approximateRows(client)] as const,
  );
  const readable = snapshot.driver === "template";
  if (!readable || (!exact && rows > COUNT_UP_TO_ROWS)) {
    const before = await statisticsBefore(run, live, snapshot);
    const estimated = before === null ? null : known(estimateChanges(before, statistics));
    if (estimated !== null) return { rows: only(estimated, run.definition.databases[database]!.tables), how: "estimated" };
    if (!readable) throw new Error("the server's counters were reset, and counting would mean restoring the dump");
  }
  return { rows: await countOpen(run, database, snapshot), how: "counted" };
}

/** From the sizes the planner knows: free, and good enough to choose between counting and estimating. */
async function approximateRows(client: Client): Promise<number> {
  const { rows } = await client.query<{ rows: string }>(
    "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint AS rows FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')",
  );
  return Number(rows[0]?.rows);
}

/** Null where the counters of any table were lost. */
function known(changes: EstimatedChanges): RowsAtRisk | null {
  if (changes === "unknown") return null;
  const rows: RowsAtRisk = {};
  for (const [table, change] of Object.entries(changes)) {
    if (change === "unknown") return null;
    rows[table] = change;
  }
  return rows;
}

/** Counters only compare within one database: the snapshot's own where the live one is what it was taken from, else the armed copy's. */
async function statisticsBefore(run: Looking, live: string, snapshot: Snapshot): Promise<Statistics | null> {
  const { oid } = await liveLineage(run.control.client, live);
  const taken = snapshot.statistics as unknown as Statistics | null;
  if (taken !== null && Number(taken.databaseOid) === oid) return taken;
  const entry = (await catalogued(run.control.client)).find((database) => database.oid === oid);
  return entry?.snapshotId === snapshot.id ? (entry.verified as unknown as Statistics | null) : null;
}

function only<T>(values: Record<string, T>, tables: string[]): Record<string, T> {
  return Object.fromEntries(
    Object.entries(values).filter(([table]) => tables.includes(table) || tables.includes(table.replace(/^public\./, ""))),
  );
}

/** Counts row by row inside the fence. */
export async function countSince(run: Run, database: string, action: DataAction): Promise<RowsAtRisk> {
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) return {};
  const current = await sessionInside(endpointOf(run.site), run.control.client, liveName(run.site, database));
  try {
    return await withCopy(run, snapshot, (base) => compareTables(base, current, run.definition.databases[database]!.tables));
  } finally {
    await current.end().catch(() => undefined);
  }
}

async function countOpen(run: Looking, database: string, snapshot: Snapshot): Promise<RowsAtRisk> {
  const endpoint = endpointOf(run.site);
  return withSession(endpoint, liveName(run.site, database), (current) =>
    withSession(endpoint, snapshot.location, (base) => compareTables(base, current, run.definition.databases[database]!.tables)),
  );
}

export async function compareTables(base: Client, current: Client, tables: string[]): Promise<RowsAtRisk> {
  const compared = await compareDatabases(base, current, tables);
  return Object.fromEntries(
    Object.entries(compared).map(([table, { inserted, updated, deleted }]) => [table, { inserted, updated, deleted }]),
  );
}
