/** Copies of a database in place: dumps. A standby copy is a dump that was restored once, elsewhere, and holds what was dumped. */
import { dumpFolder, endpointOf, liveName } from "../../../config/site.ts";
import type { CatalogueDatabase, Snapshot } from "../../../config/record.ts";
import { derivedName } from "../../../config/names.ts";
import type { Run } from "../../../config/run.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import { qualified } from "../../shared/identifiers.ts";
import { withSettings } from "../../postgres/engine/kept-settings.ts";
import { clientOf } from "../../postgres/engine/session.ts";
import { postgresSession } from "../../postgres/sql-session.ts";
import { quickStatistics } from "../../postgres/statistics.ts";
import { snapshotPlace } from "../../shared/snapshot-place.ts";
import type { CopyContext, InspectContext, TakenCopy } from "../../engine.ts";
import { dumpBytes, readDump, removeDump, takeDump } from "../dump.ts";
import { inDatabase, withScratch } from "./places.ts";
import { enter } from "./record.ts";
import { tryAndKeep } from "./trial.ts";

/** A dump was taken and could not be brought back. The data is as it was. */
export class UselessSnapshotError extends Error {
  readonly problem: string;
  constructor({ name, generation, database }: Snapshot, problem: string) {
    super(`the snapshot ${name}@${generation} of ${database} could not be brought back, so there is no way back from here: ${problem}`);
    this.name = "UselessSnapshotError";
    this.problem = problem;
  }
}

export { backUp, fileOfCopy } from "../../postgres/engine/copies.ts";

export const driver = (): string => "in-place";

export function snapshotLocation({ site }: InspectContext, database: string, name: string, generation: number): string {
  return dumpFolder(site, derivedName(liveName(site, database), `_${snapshotPlace(name, generation)}`));
}

export async function takeSnapshot(run: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  return inDatabase(run.site, snapshot.database, async (client) => {
    if (again) await removeDump(snapshot.location).catch(() => undefined);
    const live = liveName(run.site, snapshot.database);
    const statistics = await withSettings(client, live, await quickStatistics(client, live));
    const { content } = await takeDump({ client, endpoint: endpointOf(run.site) }, snapshot.location);
    // A dump that cannot be restored is no way back: nothing has been changed yet.
    const problem = await tryAndKeep(run, client, snapshot);
    if (problem !== null) throw new UselessSnapshotError(snapshot, problem);
    return { manifest: content, statistics, sizeBytes: await dumpBytes(snapshot.location) };
  });
}

export async function removeSnapshot(_run: CopyContext, snapshot: Snapshot): Promise<void> {
  await removeDump(snapshot.location);
}

export async function snapshotProblems(_keeping: CopyContext, { location }: Snapshot): Promise<string[]> {
  return readDump(location).then(
    () => [],
    (error: Error) => [error.message],
  );
}

/** There is no place for a copy: what can be done beforehand is to restore the dump once, elsewhere, and to see that it holds what was dumped. */
export async function makeStandby(keeping: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
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

export async function inSnapshot<T>(keeping: CopyContext, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T> {
  return inDump(keeping, snapshot.database, snapshot.location, work);
}

export async function inCopy<T>(keeping: CopyContext, copy: CatalogueDatabase, work: (session: SqlSession) => Promise<T>): Promise<T> {
  return inDump(keeping, copy.database, dumpFolder(keeping.site, copy.name), work);
}

async function inDump<T>({ site }: CopyContext, database: string, folder: string, work: (session: SqlSession) => Promise<T>): Promise<T> {
  return withScratch(site, database, [folder], ([client]) => work(postgresSession(client!)));
}

export async function dropCopy({ site, state }: CopyContext, copy: CatalogueDatabase): Promise<void> {
  if (copy.role === "quarantine") await removeDump(dumpFolder(site, copy.name));
  await state.forgetDatabase(copy.oid);
}
