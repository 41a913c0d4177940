/** Who is in a database, and ending them. */
import type pg from "pg";
import { DatabaseMissingError } from "./properties.ts";

export interface Session {
  pid: number;
  user: string | null;
  application: string;
  /** `client backend`, `walsender`, `logical replication worker`, a background worker's own name, `starting`, … */
  kind: string;
  state: string | null;
  /** Since when it is in its transaction; null or absent: in none. */
  since?: Date | null;
}

/** What is not committed goes with its session. */
export function isInterrupted({ since, kind }: Session): boolean {
  return since != null && kind === "client backend";
}

/** Whose transaction is rolled back when the session ends, since when, and what it was doing. */
export function describeInterrupted({ pid, user, application, state, since }: Session): string {
  const whose = `${user ?? "?"}${application === "" ? "" : ` (${application})`}`;
  return `${whose}, pid ${pid}, ${state ?? "in a transaction"} since ${since!.toISOString()}`;
}

const SESSIONS_SQL = `
  SELECT pid, usename AS user, application_name AS application, backend_type AS kind, state, xact_start AS since FROM pg_stat_activity
  WHERE datid = $1 AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker' ORDER BY pid`;

/** A session that is being opened holds this lock until it shows in pg_stat_activity; whether connections are allowed it has checked before that. */
const STARTING_SQL = `
  SELECT DISTINCT l.pid FROM pg_locks l
  WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.objid = $1 AND l.granted AND l.pid <> pg_backend_pid()`;

export async function databaseOid(admin: pg.Client, database: string): Promise<number> {
  const oid = await findDatabase(admin, database);
  if (oid === null) throw new DatabaseMissingError(database);
  return oid;
}

/** A database is known by its OID: a rename keeps it. */
export async function findDatabase(admin: pg.Client, database: string): Promise<number | null> {
  const { rows } = await admin.query<{ oid: number }>("SELECT oid FROM pg_database WHERE datname = $1", [database]);
  return rows[0]?.oid ?? null;
}

/** Every session in the database but our own; autovacuum workers do not count, the server ends those itself where they are in the way. */
export async function sessionsIn(admin: pg.Client, oid: number): Promise<Session[]> {
  return (await admin.query<Session>(SESSIONS_SQL, [oid])).rows;
}

/**
 * Sessions that are being opened. Where connections are refused, only those seen at the first look can still get in;
 * ones that come later, as a reconnecting pool sends them all the time, will be turned away.
 */
export async function startingIn(admin: pg.Client, oid: number): Promise<Session[]> {
  const { rows } = await admin.query<{ pid: number }>(STARTING_SQL, [oid]);
  return rows.map(({ pid }) => ({ pid, user: null, application: "", kind: "starting", state: null }));
}

/** Signals sessions to end. True means signalled, not ended: poll. A session that ended by itself, or that this role may not end, is passed over. */
export async function signalSessions(admin: pg.Client, sessions: readonly Session[]): Promise<void> {
  for (const { pid } of sessions) {
    await admin.query("SELECT pg_terminate_backend($1)", [pid]).catch((error: unknown) => {
      if ((error as { code?: string }).code !== "42501") throw error;
    });
  }
}

export function describeSession({ pid, user, application, kind, state }: Session): string {
  const details = [user && `user ${user}`, application && `application ${application}`, kind, state].filter(Boolean);
  return `pid ${pid} (${details.join(", ")})`;
}
