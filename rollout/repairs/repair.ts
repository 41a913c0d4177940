/** Runs a pinned repair as one transaction of the live database, inside the fence; the snapshot taken first is the way back. */
import { snapshotAmong } from "../../state/snapshots.ts";
import { finished } from "../../config/journal.ts";
import type { RepairContext, RowsChanged } from "../../config/system/repair.ts";
import { restoreRows } from "./rows.ts";
import type { ExportFile } from "../../config/journal.ts";
import { dataOf } from "../../databases/registry.ts";
import { enterExports } from "../exports.ts";
import { exportPlace } from "../../databases/shared/export-place.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";
import { inLive, inSnapshot } from "../sessions.ts";
import type { DataAction } from "../../config/plan.ts";
import type { Run } from "../../config/run.ts";
import { tablesOf } from "../../databases/tables.ts";

type Repair = Extract<DataAction, { kind: "repair" }>;

/** Data may not be changed in place before there is a checked way back. */
export class NoSafetySnapshotError extends Error {
  readonly database: string;
  constructor(database: string, name: string, epoch: number) {
    super(`no snapshot "${name}" of ${database} was taken by rollout ${epoch}: nothing was repaired`);
    this.name = "NoSafetySnapshotError";
    this.database = database;
  }
}

/** Repairs, and adds what the repair changed to the row counts that verification compares with. */
export async function repairAndCount(run: Run, database: string, action: Repair): Promise<Record<string, RowsChanged>> {
  const changed = await repair(run, database, action);
  const counted = finished(await run.state.journal(run.epoch), "count").at(-1)?.detail;
  if (counted !== undefined) {
    const expected = Object.entries(counted).map(([table, rows]): [string, number] => {
      const { inserted = 0, deleted = 0 } = changed[table] ?? {};
      return [table, rows + inserted - deleted];
    });
    await run.state.setCounts(run.epoch, Object.fromEntries(expected));
  }
  return changed;
}

async function repair(run: Run, database: string, action: Repair): Promise<Record<string, RowsChanged>> {
  const own = run.definition.databases[database]?.repairs?.[action.repair];
  if (own === undefined && action.repair !== "rows") throw new Error(`${database} has no repair ${action.repair}`);
  const repairRows = async (context: RepairContext) => (own === undefined ? restoreRows(context) : own.run(context));
  const snapshots = await run.state.readySnapshots();
  const safety = `before-${action.repair}`;
  const isSafety = snapshots.some((one) => one.database === database && one.name === safety && one.epoch === run.epoch);
  if (!isSafety) throw new NoSafetySnapshotError(database, safety, run.epoch);
  const done = await doneBefore(run, database, action);
  if (done !== null) return done;
  const work = (snapshot: SqlSession | null): Promise<Record<string, RowsChanged>> =>
    inLive(run, database, (live) =>
      live.transaction(async () =>
        repairRows({
          live,
          snapshot,
          tables: await tablesOf(live, run.definition.databases[database]!.tables),
          arguments: action.with,
          project: run.site.project,
        }),
      ),
    );
  const { snapshot: named } = action;
  if (named === null) return work(null);
  const snapshot = snapshotAmong(snapshots, database, named);
  if (snapshot === null) throw new Error(`snapshot ${named.name}@${named.generation} of ${database} is gone`);
  return inSnapshot(run, snapshot, work);
}

/** What the repair took away or changed, as it was before: kept as files like whatever else is set aside. */
export async function exportReplaced(run: Run, database: string, { repair: name }: Repair): Promise<ExportFile[]> {
  const safety = (await run.state.readySnapshots()).find(
    (one) => one.database === database && one.name === `before-${name}` && one.epoch === run.epoch,
  );
  if (safety === undefined) return [];
  const { folder, runId } = await exportPlace(run, database);
  const data = await dataOf(run, database);
  return enterExports(run, database, await data.exportReplaced(run, safety, folder, runId));
}

/** A repair that finished in this rollout is not repeated; one that was killed has rolled back. */
async function doneBefore(run: Run, database: string, { repair: name }: Repair): Promise<Record<string, RowsChanged> | null> {
  const repairs = finished(await run.state.journal(run.epoch), "repair").map(({ detail }) => detail);
  return repairs.find((done) => done.database === database && done.repair === name)?.rows ?? null;
}
