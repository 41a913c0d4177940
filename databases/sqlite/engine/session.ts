import type { LiveSession, InspectContext } from "../../engine.ts";
import { openFile } from "../database.ts";
import { insideFile, isClosed } from "../fence.ts";
import { sqliteSession } from "../sql-session.ts";
import { existsSync } from "node:fs";
import { livePath } from "./places.ts";

/** Inside the fence the guard's own session is used: a second one of this process would wait for its lock. */
export async function openLive({ site }: InspectContext, database: string, fenced: boolean | "as it is"): Promise<LiveSession> {
  const live = livePath(site, database);
  if (fenced === true || (fenced === "as it is" && isClosed(live)))
    return { session: await insideFile(live, (db) => sqliteSession(db)), end: async () => Promise.resolve() };
  const db = openFile(live);
  return { session: sqliteSession(db), end: async () => Promise.resolve(db.close()) };
}

export async function openToRead({ site }: InspectContext, database: string): Promise<LiveSession | null> {
  const live = livePath(site, database);
  if (!existsSync(live)) return Promise.resolve(null);
  const db = openFile(live, { readOnly: true, timeoutMs: 1_000 });
  return { session: sqliteSession(db), end: async () => Promise.resolve(db.close()) };
}
