/** Rows written since a snapshot of a PostgreSQL database: counted row by row, or estimated from the server's counters. */
import type { Client } from "pg";
import { catalogued, liveLineage } from "../../../control/catalogue.ts";
import type { ControlRecord, Snapshot } from "../../../control/record.ts";
import { endpointOf, liveName } from "../../../declared/site.ts";
import { canonicalTable, withSession } from "../../../postgres/connection.ts";
import { sessionInside } from "../../../postgres/fence.ts";
import { approximateRows, estimateChanges, quickStatistics, type EstimatedChanges, type Statistics } from "../../../postgres/statistics.ts";
import { COUNT_UP_TO_ROWS } from "../../at-risk.ts";
import { changesOf, type AtRisk, type Looking, type RowsAtRisk } from "../../engine.ts";
import type { Run } from "../../run.ts";
import { clientOf } from "./session.ts";

type Controlled = Looking & { control: ControlRecord };

export async function rowsAtRisk(run: Controlled, database: string, snapshot: Snapshot, exact: boolean): Promise<AtRisk> {
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
async function statisticsBefore(run: Controlled, live: string, snapshot: Snapshot): Promise<Statistics | null> {
  const { oid } = await liveLineage(clientOf(run.control), live);
  const taken = snapshot.statistics as unknown as Statistics | null;
  if (taken !== null && Number(taken.databaseOid) === oid) return taken;
  const entry = (await catalogued(clientOf(run.control))).find((database) => database.oid === oid);
  return entry?.snapshotId === snapshot.id ? (entry.verified as unknown as Statistics | null) : null;
}

function only<T>(values: Record<string, T>, tables: string[]): Record<string, T> {
  const wanted = new Set(tables.map(canonicalTable));
  return Object.fromEntries(Object.entries(values).filter(([table]) => wanted.has(table)));
}

/** Counts row by row inside the fence. */
export async function rowsSince(run: Run, database: string, snapshot: Snapshot): Promise<RowsAtRisk> {
  const current = await sessionInside(endpointOf(run.site), clientOf(run.control), liveName(run.site, database));
  try {
    const { withCopy } = await import("./arming.ts");
    return await withCopy(run, snapshot, (base) => compareTables(base, current, run.definition.databases[database]!.tables));
  } finally {
    await current.end().catch(() => undefined);
  }
}

async function countOpen(run: Controlled, database: string, snapshot: Snapshot): Promise<RowsAtRisk> {
  const endpoint = endpointOf(run.site);
  return withSession(endpoint, liveName(run.site, database), (current) =>
    withSession(endpoint, snapshot.location, (base) => compareTables(base, current, run.definition.databases[database]!.tables), {
      readOnly: true,
    }),
  );
}

async function compareTables(base: Client, current: Client, tables: string[]): Promise<RowsAtRisk> {
  const { compareDatabases } = await import("../../../postgres/comparison.ts");
  return changesOf(await compareDatabases(base, current, tables));
}
