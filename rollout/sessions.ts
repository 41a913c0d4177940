/** Sessions of the neutral kind: in a live database, from inside the fence where it stands, and in a snapshot. */
import type { Snapshot } from "../config/record.ts";
import type { SqlSession } from "../config/system/sql-session.ts";
import type { LiveSession, InspectContext } from "../databases/engine.ts";
import { copiesOf, inspectionOf } from "../databases/registry.ts";
import type { Run } from "../config/run.ts";
import { bringSnapshot } from "./artefacts.ts";

export type { LiveSession } from "../databases/engine.ts";

/** A session in the live database, whether connections to it are refused or not. The caller ends it. */
export async function openLive(run: Run, database: string): Promise<LiveSession> {
  return (await inspectionOf(run, database)).openLive(run, database, "as it is");
}

/** @param fenced whether the fence of this rollout stands; looked at where it is not given. */
export async function inLive<T>(
  at: InspectContext,
  database: string,
  work: (session: SqlSession) => Promise<T>,
  fenced: boolean | "as it is" = "as it is",
): Promise<T> {
  const { session, end } = await (await inspectionOf(at, database)).openLive(at, database, fenced);
  return work(session).finally(end);
}

/** Runs `work` in a snapshot, for reading. */
export async function inSnapshot<T>(run: Run, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T> {
  await bringSnapshot(run, snapshot, (line) => run.log("info", line));
  return (await copiesOf(run, snapshot.database)).inSnapshot(run, snapshot, work);
}
