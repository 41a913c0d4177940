/** What a rollout does with a live PostgreSQL database that can be neither renamed nor left: hosted ones. Slower, and users wait meanwhile. */
import type { Client } from "pg";
import { admittedWith, dumpFolder, endpointOf, liveName } from "../../../config/site.ts";
import type { CatalogueDatabase, StateStore, Snapshot } from "../../../config/record.ts";
import { compareEverything } from "../../postgres/comparison.ts";
import { canonicalTable, connect, parseTable, qualified } from "../../postgres/connection.ts";
import { dumpBytes, readDump, removeDump, takeDump } from "../dump.ts";
import { admitInPlace, closeInPlace } from "../fence.ts";
import { readExtent } from "../extent.ts";
import { forcedTables, putForceBack, withoutForce } from "../forced-rls.ts";
import { derivedName } from "../../../config/names.ts";
import { readProperties } from "../../postgres/properties.ts";
import { postgresSession } from "../../postgres/sql-session.ts";
import {
  approximateRows,
  CountersLostError,
  estimateChanges,
  quickStatistics,
  type Estimate,
  type Statistics,
} from "../../postgres/statistics.ts";
import { countedRisk, COUNT_UP_TO_ROWS } from "../../shared/at-risk.ts";
import type { AtRisk, DatabaseEngine, CopyContext, InspectContext } from "../../engine.ts";
import { estimated } from "../../postgres/engine/at-risk.ts";
import { saveProperties, savedProperties } from "../../postgres/engine/properties-record.ts";
import { leftBehind } from "../../postgres/engine/followers.ts";
import { foreign, giveBack, takenOver } from "../../postgres/engine/foreign.ts";
import { settingsThatStay, withSettings } from "../../postgres/engine/kept-settings.ts";
import { ensureServices } from "../../postgres/engine/roles.ts";
import { clientOf } from "../../postgres/engine/session.ts";
import { cutOver, exportReplaced, exportSince, make, migrate, putBack } from "./data.ts";
import { copyBytes, facts, lineage, liveBytes, refuseRestore, refuseUnfenceable, requireRoom } from "./inspect.ts";
import { inDatabase, withScratch } from "./places.ts";
import { enter } from "./record.ts";
import { noStandbyBecause, tryAndKeep } from "./trial.ts";

/** A dump was taken and could not be brought back. The data is as it was. */
export class UselessSnapshotError extends Error {
  readonly problem: string;
  constructor({ name, generation, database }: Snapshot, problem: string) {
    super(`the snapshot ${name}@${generation} of ${database} could not be brought back, so there is no way back from here: ${problem}`);
    this.name = "UselessSnapshotError";
    this.problem = problem;
  }
}

export const inPlace: Omit<DatabaseEngine, "name" | "driver" | "snapshotLocation" | "fileOfCopy" | "load"> = {
  facts,
  lineage,
  refuseUnfenceable,
  refuseRestore,
  noStandbyBecause,
  requireRoom,
  liveBytes,
  copyBytes,
  rowsAtRisk,
  foreign,
  leftBehind: async (...of) => [...(await leftBehind(...of)), ...(await settingsThatStay(...of))],
  giveBack,
  ensureServices: async ({ site, state }) => ensureServices(site, clientOf(state)),
  keepProperties: async (run, database, everythingOpen) => {
    const client = clientOf(run.state);
    if (!everythingOpen && (await savedProperties(client, database)) !== null) return;
    await saveProperties(
      client,
      database,
      await takenOver(
        run.site,
        run.state,
        database,
        await inDatabase(run.site, database, (live) => readProperties(live, liveName(run.site, database))),
      ),
    );
  },
  close: (run, database) =>
    inDatabase(run.site, database, async (client) => {
      await putForceBack(client);
      return closeInPlace(client);
    }),
  admit: async (run, database, whom) => {
    const saved = await savedProperties(clientOf(run.state), database);
    if (saved === null) return;
    await inDatabase(run.site, database, (client) => admitInPlace(client, whom, { ...admittedWith(run.site), saved }));
  },
  openLive: async ({ site }, database) => {
    const client = await connect(endpointOf(site), liveName(site, database));
    return { session: postgresSession(client), end: () => client.end().catch(() => undefined) };
  },
  rowsSince: (run, database, snapshot) => countRows(run, database, snapshot, withoutForce),
  takeSnapshot: (run, snapshot, again) =>
    inDatabase(run.site, snapshot.database, async (client) => {
      if (again) await removeDump(snapshot.location).catch(() => undefined);
      const live = liveName(run.site, snapshot.database);
      const statistics = await withSettings(client, live, await quickStatistics(client, live));
      const { content } = await takeDump({ client, endpoint: endpointOf(run.site) }, snapshot.location);
      // What cannot be brought back is no way back: nothing has been changed yet.
      const problem = await tryAndKeep(run, client, snapshot);
      if (problem !== null) throw new UselessSnapshotError(snapshot, problem);
      return { manifest: content, statistics, sizeBytes: await dumpBytes(snapshot.location) };
    }),
  removeSnapshot: async (_run, snapshot) => void (await removeDump(snapshot.location)),
  snapshotProblems: (_keeping, { location }) =>
    readDump(location).then(
      () => [],
      (error: Error) => [error.message],
    ),
  makeStandby,
  inSnapshot: (keeping, snapshot, work) =>
    withScratch(keeping.site, snapshot.database, [snapshot.location], ([client]) => work(postgresSession(client!))),
  inCopy: (keeping, copy, work) =>
    withScratch(keeping.site, copy.database, [dumpFolder(keeping.site, copy.name)], ([client]) => work(postgresSession(client!))),
  dropCopy: async ({ site, state }, copy) => {
    if (copy.role === "quarantine") await removeDump(dumpFolder(site, copy.name));
    await state.forgetDatabase(copy.oid);
  },
  make,
  cutOver,
  migrate,
  exportReplaced,
  exportSince,
  putBack,
};

/** There is no place for a copy: what can be done beforehand is to restore the dump once, elsewhere, and to see that it holds what was dumped. */
async function makeStandby(keeping: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
  const { content } = await readDump(snapshot.location);
  const tables = await withScratch(keeping.site, snapshot.database, [snapshot.location], async ([client]) => {
    const counts: Record<string, number> = {};
    for (const name of Object.keys(content.tables)) {
      const { rows } = await client!.query<{ rows: number }>(`SELECT count(*)::float8 AS rows FROM ${qualified(name)}`);
      counts[name] = rows[0]!.rows;
    }
    return counts;
  });
  const wrong = Object.entries(content.tables).filter(([name, { rows }]) => tables[name] !== rows);
  if (wrong.length > 0)
    throw new Error(`the dump of ${snapshot.name}@${snapshot.generation} restores other rows: ${wrong.map(([name]) => name).join(", ")}`);
  const name = derivedName(liveName(keeping.site, snapshot.database), `_tried_${snapshot.id}`);
  const { name: of, generation } = snapshot;
  await enter(clientOf(keeping.state), {
    name,
    database: snapshot.database,
    role: "standby",
    lineage: { snapshot: { name: of, generation, again: 0 }, quarantine: null },
    snapshotId: snapshot.id,
    epoch: snapshot.epoch,
    verified: { tables },
  });
  return (await keeping.state.catalogued()).find((copy) => copy.name === name)!;
}

async function rowsAtRisk(
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
        return countedRisk(await compareEverything(base!, current, leftAlone), definition.databases[database]!.tables);
      }),
    ),
  );
}
