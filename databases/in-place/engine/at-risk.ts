/** Rows written since a dump was taken: counted on a scratch server, or estimated from the server's counters. */
import type { Client } from "pg";
import { liveName } from "../../../config/site.ts";
import type { StateStore, Snapshot } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import { canonicalTable, parseTable } from "../../shared/identifiers.ts";
import { estimated } from "../../postgres/engine/at-risk.ts";
import {
  approximateRows,
  CountersLostError,
  estimateChanges,
  quickStatistics,
  type Estimate,
  type Statistics,
} from "../../postgres/statistics.ts";
import { countedRisk, COUNT_UP_TO_ROWS } from "../../shared/at-risk.ts";
import type { AtRisk, InspectContext } from "../../engine.ts";
import { readExtent } from "../extent.ts";
import { forcedTables, withoutForce } from "../forced-rls.ts";
import { inDatabase, withScratch } from "./places.ts";

export function rowsSince(run: Run, database: string, snapshot: Snapshot): Promise<AtRisk> {
  return countRows(run, database, snapshot, withoutForce);
}

export async function rowsAtRisk(
  at: InspectContext & { state: StateStore },
  database: string,
  snapshot: Snapshot,
  exact: boolean,
): Promise<AtRisk> {
  const live = liveName(at.site, database);
  return inDatabase(at.site, database, async (client) => {
    const [rows, now, { leftAlone }] = [await approximateRows(client), await quickStatistics(client, live), await readExtent(client)];
    // The force cannot be lifted while users are in.
    const hidden = (await forcedTables(client)).map(canonicalTable);
    if (hidden.length === 0 && (exact || rows <= COUNT_UP_TO_ROWS)) return countRows(at, database, snapshot);
    const estimate = estimateOf(snapshot, now);
    if (hidden.length === 0 && (estimate === null || Object.keys(estimate.unknown).length > 0)) return countRows(at, database, snapshot);
    if (estimate === null)
      throw new Error(
        `policies hide rows of ${hidden.join(", ")} from their own owner: they are counted inside the fence only, and the server's counters were reset`,
      );
    const told = await estimated(estimate, at.definition.databases[database]!.tables, null, client);
    const within = <T>(found: Record<string, T>): Record<string, T> =>
      Object.fromEntries(Object.entries(found).filter(([table]) => !leftAlone.includes(parseTable(table).schema)));
    return { ...told, rows: within(told.rows), unknown: within(told.unknown) };
  });
}

/** Null where the counters tell nothing. */
function estimateOf({ statistics }: Snapshot, now: Statistics): Estimate | null {
  if (statistics === null) return null;
  try {
    return estimateChanges(statistics as unknown as Statistics, now);
  } catch (error) {
    if (error instanceof CountersLostError) return null;
    throw error;
  }
}

/** The live database against the dump, restored on a scratch server. @param reading how the live tables are read */
async function countRows(
  { site, definition }: InspectContext,
  database: string,
  snapshot: Snapshot,
  reading: (client: Client, count: () => Promise<AtRisk>) => Promise<AtRisk> = (_client, count) => count(),
): Promise<AtRisk> {
  return withScratch(site, database, [snapshot.location], ([base]) =>
    inDatabase(site, database, async (current) =>
      reading(current, async () => {
        const { leftAlone } = await readExtent(current);
        const { compareEverything } = await import("../../postgres/comparison.ts");
        return countedRisk(await compareEverything(base!, current, leftAlone), definition.databases[database]!.tables);
      }),
    ),
  );
}
