/** Rows written since a snapshot of a PostgreSQL database: counted row by row, or estimated from the server's counters. */
import { isLedgerTable } from "../../shared/migrations/ledgers/tables.ts";
import type { Client } from "pg";
import { catalogued, liveLineage } from "../state/catalogue.ts";
import type { StateStore, Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { sessionInside } from "../fence.ts";
import { approximateRows, CountersLostError, estimateChanges, quickStatistics, type Estimate, type Statistics } from "../statistics.ts";
import { columnNotes, countedRisk, COUNT_UP_TO_ROWS, inOrder } from "../../shared/at-risk.ts";
import type { AtRisk, InspectContext } from "../../engine.ts";
import type { Run } from "../../../config/run.ts";
import { clientOf } from "./session.ts";

type WithState = InspectContext & { state: StateStore };

export async function rowsAtRisk(run: WithState, database: string, snapshot: Snapshot, exact: boolean): Promise<AtRisk> {
  const live = liveName(run.site, database);
  return withSession(endpointOf(run.site), live, async (current) => {
    const [now, rows] = [await quickStatistics(current, live), await approximateRows(current)];
    const readable = snapshot.driver === "template";
    if (exact || (readable && rows <= COUNT_UP_TO_ROWS)) return countOpen(run, database, snapshot, current);
    const estimate = await estimateSince(run, live, snapshot, now);
    if (readable) {
      if (estimate instanceof CountersLostError) return countOpen(run, database, snapshot, current);
      return withSession(endpointOf(run.site), snapshot.location, (base) => estimated(estimate, orderOf(run, database), base, current));
    }
    if (estimate instanceof CountersLostError) throw new Error(`${estimate.message}; --exact counts, on a copy restored from the dump`);
    return estimated(estimate, orderOf(run, database), null, current);
  });
}

function orderOf({ definition }: InspectContext, database: string): string[] {
  return definition.databases[database]!.tables;
}

/** Counters only compare within one database: the snapshot's own where the live one is what it was taken from, else the standby copy's. */
async function estimateSince(run: WithState, live: string, snapshot: Snapshot, now: Statistics): Promise<Estimate | CountersLostError> {
  const before = await statisticsBefore(run, live, snapshot);
  if (before === null) return new CountersLostError("none were read when the data was as it is in the snapshot");
  try {
    return estimateChanges(before, now);
  } catch (error) {
    if (error instanceof CountersLostError) return error;
    throw error;
  }
}

async function statisticsBefore(run: WithState, live: string, snapshot: Snapshot): Promise<Statistics | null> {
  const { oid } = await liveLineage(clientOf(run.state), live);
  const taken = snapshot.statistics as unknown as Statistics | null;
  if (taken !== null && Number(taken.databaseOid) === oid) return taken;
  const entry = (await catalogued(clientOf(run.state))).find((database) => database.oid === oid);
  return entry?.snapshotId === snapshot.id ? (entry.verified as unknown as Statistics | null) : null;
}

/** What the counters do not tell is counted where the snapshot can be read. @param base null: it cannot */
export async function estimated({ tables, unknown }: Estimate, order: string[], base: Client | null, current: Client): Promise<AtRisk> {
  const data = <T>(found: Record<string, T>): [string, T][] => Object.entries(found).filter(([table]) => !isLedgerTable(table));
  const { planEverything, unreadTables } = await import("../comparison-beyond.ts");
  const { tooLargeAmong } = await import("../comparison-large.ts");
  const written = data(tables).filter(([, { inserted, updated, deleted }]) => inserted + updated + deleted > 0);
  const large = await tooLargeAmong(
    current,
    [...written, ...data(unknown)].map(([table]) => table),
  );
  if (base === null) {
    const notCompared = [...(await unreadTables(current)), ...large];
    return { rows: inOrder(data(tables), order), how: "estimated", unknown: Object.fromEntries(data(unknown)), notCompared, notes: [] };
  }
  const { compareDatabases, inSnapshots } = await import("../comparison.ts");
  const { plans, notCompared } = await inSnapshots(base, current, () => planEverything(base, current));
  const counted = await compareDatabases(
    base,
    current,
    data(unknown).map(([table]) => table),
  );
  const known = countedRisk({ tables: counted, notCompared }, []);
  const rows = inOrder([...data(tables), ...Object.entries(known.rows)], order);
  const columns = Object.fromEntries(plans.map((plan) => [plan.name, { inserted: 0, updated: 0, deleted: 0, ...plan }]));
  return { rows, how: "estimated", unknown: {}, notCompared: [...notCompared, ...large], notes: columnNotes(columns) };
}

/** Counts row by row inside the fence. */
export async function rowsSince(run: Run, database: string, snapshot: Snapshot): Promise<AtRisk> {
  const current = await sessionInside(endpointOf(run.site), clientOf(run.state), liveName(run.site, database));
  try {
    const { withCopy } = await import("./standby.ts");
    return await withCopy(run, snapshot, (base) => compare(base, current, orderOf(run, database)));
  } finally {
    await current.end().catch(() => undefined);
  }
}

/** A dump is read by restoring it: the restored copy is the standby one, and stays. */
async function countOpen(run: WithState, database: string, snapshot: Snapshot, current: Client): Promise<AtRisk> {
  const { withCopy } = await import("./standby.ts");
  return withCopy({ ...run, log: () => undefined }, snapshot, (base) => compare(base, current, orderOf(run, database)));
}

async function compare(base: Client, current: Client, order: string[]): Promise<AtRisk> {
  const { compareEverything } = await import("../comparison.ts");
  return countedRisk(await compareEverything(base, current), order);
}
