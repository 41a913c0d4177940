/** The data fence: nobody but backout reaches a database, and the stages in which it is opened again. */
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { connect } from "./connection.ts";
import { type Endpoint } from "../../config/endpoint.ts";
import { quote } from "../shared/identifiers.ts";
import {
  FenceTimeoutError,
  NotFencedError,
  PreparedTransactionError,
  ReplicationInUseError,
  type PreparedTransaction,
} from "./fence-errors.ts";
import { applyProperties, isSuperuser, readProperties, type DatabaseGrant, type DatabaseProperties } from "./properties.ts";
import {
  databaseOid,
  describeInterrupted,
  describeSession,
  isInterrupted,
  sessionsIn,
  signalSessions,
  startingIn,
  type Session,
} from "./sessions.ts";

export * from "./fence-errors.ts";
export { isSuperuser };

/** How long the fence waits until the sessions it terminated have ended. Milliseconds. */
export const SESSIONS_END_MS = 30_000;

export interface FenceOptions {
  /** How long sessions may take to end. @default SESSIONS_END_MS */
  timeoutMs?: number;
  /** Pause between two queries for sessions. @default 20 */
  retryMs?: number;
}

export interface FenceOutcome {
  /** Sessions that were ended. */
  endedSessions: number;
  /** Always 0: a prepared transaction refuses the fence. */
  preparedTransactions: number;
  waitedMs: number;
  /** Sessions that were ended in the middle of a transaction, in words: the transaction is rolled back. */
  rolledBack: string[];
  /** Logical slots nobody reads from: they follow the database. */
  slots: string[];
}

/** Who may connect. */
export type Stage = "nobody" | "services" | "everybody";

/**
 * Refuses connections, ends every session in the database, and returns when none is left. `admin` is a session in another database.
 * @throws PreparedTransactionError, ReplicationInUseError: nothing was changed
 * @throws FenceTimeoutError: connections are refused, sessions are left
 */
export async function fenceDatabase(admin: pg.Client, database: string, options: FenceOptions = {}): Promise<FenceOutcome> {
  const started = Date.now();
  const oid = await databaseOid(admin, database);
  await refuseUnfenceable(admin, database);
  await allowConnections(admin, database, false);
  const interrupted = new Map<number, string>();
  const endedSessions = await endSessions(admin, database, oid, [], options, (session) => {
    if (isInterrupted(session)) interrupted.set(session.pid, describeInterrupted(session));
  });
  const late = await preparedTransactions(admin, database);
  if (late.length > 0) {
    // Prepared after the first query and before connections were refused. It can only be ended by somebody who can connect.
    await allowConnections(admin, database, true);
    throw new PreparedTransactionError(database, late);
  }
  const slots = await admin.query<{ name: string }>(
    "SELECT slot_name::text AS name FROM pg_replication_slots WHERE database = $1 ORDER BY 1",
    [database],
  );
  return {
    endedSessions,
    preparedTransactions: 0,
    waitedMs: Date.now() - started,
    rolledBack: [...interrupted.values()],
    slots: slots.rows.map(({ name }) => name),
  };
}

/** What would make a fence or a rename fail later on: refused before anything is stopped. @throws PreparedTransactionError, ReplicationInUseError */
export async function refuseUnfenceable(admin: pg.Client, database: string): Promise<void> {
  const prepared = await preparedTransactions(admin, database);
  if (prepared.length > 0) throw new PreparedTransactionError(database, prepared);
  const slots = await admin.query<{ name: string }>("SELECT slot_name AS name FROM pg_replication_slots WHERE database = $1 AND active", [
    database,
  ]);
  const subscriptions = await admin.query<{ name: string }>(
    "SELECT s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = $1 AND s.subenabled",
    [database],
  );
  if (slots.rows.length + subscriptions.rows.length === 0) return;
  const names = (rows: { name: string }[]): string[] => rows.map(({ name }) => name);
  throw new ReplicationInUseError(database, names(slots.rows), names(subscriptions.rows));
}

export async function preparedTransactions(admin: pg.Client, database: string): Promise<PreparedTransaction[]> {
  const { rows } = await admin.query<PreparedTransaction>(
    `SELECT gid, owner, database, prepared AS "preparedAt", extract(epoch FROM now() - prepared)::float8 AS "ageSeconds"
     FROM pg_prepared_xacts WHERE database = $1 ORDER BY prepared`,
    [database],
  );
  return rows;
}

/** Ends every session but `spared`, again and again until none is left. @returns how many were ended */
export async function endSessions(
  admin: pg.Client,
  database: string,
  oid: number,
  spared: readonly number[],
  { timeoutMs = SESSIONS_END_MS, retryMs = 20 }: FenceOptions = {},
  onEnding: (session: Session) => void = () => undefined,
): Promise<number> {
  const started = Date.now();
  const ended = new Set<number>();
  let starting = await startingIn(admin, oid);
  for (;;) {
    // In this order: one that leaves the first list is in the second.
    if (starting.length > 0) starting = stillThere(starting, await startingIn(admin, oid));
    const sessions = (await sessionsIn(admin, oid)).filter(({ pid }) => !spared.includes(pid));
    const left = [...starting, ...sessions];
    if (left.length === 0) return ended.size;
    if (Date.now() - started > timeoutMs) throw new FenceTimeoutError(database, left, Date.now() - started);
    for (const session of sessions) onEnding(session);
    await signalSessions(admin, sessions);
    for (const { pid } of sessions) ended.add(pid);
    await sleep(retryMs);
  }
}

function stillThere(first: readonly Session[], now: readonly Session[]): Session[] {
  return first.filter(({ pid }) => now.some((session) => session.pid === pid));
}

/** @throws NotFencedError when connections are allowed, or somebody other than `spared` is in the database */
export async function assertFenced(admin: pg.Client, database: string, spared: readonly number[] = []): Promise<void> {
  const oid = await databaseOid(admin, database);
  const { rows } = await admin.query<{ datallowconn: boolean }>("SELECT datallowconn FROM pg_database WHERE oid = $1", [oid]);
  if (rows[0]?.datallowconn !== false) throw new NotFencedError(database, "connections are allowed");
  const deadline = Date.now() + 5_000;
  for (let starting = await startingIn(admin, oid); starting.length > 0; starting = stillThere(starting, await startingIn(admin, oid))) {
    if (Date.now() > deadline) throw new NotFencedError(database, `somebody is at work on it: ${starting.map(describeSession).join("; ")}`);
    await sleep(5);
  }
  const sessions = (await sessionsIn(admin, oid)).filter(({ pid }) => !spared.includes(pid));
  if (sessions.length > 0) throw new NotFencedError(database, `there are sessions in it: ${sessions.map(describeSession).join("; ")}`);
}

export interface Admission {
  /** The services' own role, which may connect at the stage `services`. */
  servicesRole: string;
  /** Roles that services have of their own: let in with it. @default none */
  admits?: readonly string[];
  /** The properties the database had before it was fenced for the first time in this rollout. */
  saved: DatabaseProperties;
}

/** Opens a database stage by stage. Sessions already open are not ended: to go back a stage, fence first. Changes nothing where it is open to that stage. */
export async function admit(
  admin: pg.Client,
  database: string,
  stage: Stage,
  { servicesRole, admits = [], saved }: Admission,
): Promise<void> {
  if (stage === "nobody") return allowConnections(admin, database, false);
  const current = await readProperties(admin, database);
  const { owner, connectionLimit } = saved;
  const grants =
    stage === "services"
      ? { grants: servicesOnly(saved.grants, servicesRole, ...admits), acl: undefined }
      : { grants: saved.grants, acl: saved.acl };
  await applyProperties(admin, database, { ...current, owner, connectionLimit, ...grants, allowConnections: true });
}

/** The saved grants without anybody's CONNECT but these roles'. */
export function servicesOnly(grants: readonly DatabaseGrant[], ...roles: readonly string[]): DatabaseGrant[] {
  const others = grants
    .map((grant) => ({ ...grant, privileges: grant.privileges.filter((privilege) => privilege !== "CONNECT") }))
    .filter(({ privileges }) => privileges.length > 0);
  return roles.reduce(withConnect, others);
}

function withConnect(grants: DatabaseGrant[], role: string): DatabaseGrant[] {
  const own = grants.find(({ grantee, grantable }) => grantee === role && !grantable);
  if (own === undefined) return [...grants, { grantee: role, privileges: ["CONNECT"], grantable: false }];
  return grants.map((grant) => (grant === own ? { ...own, privileges: [...new Set([...own.privileges, "CONNECT"])].sort() } : grant));
}

/**
 * Backout's own session in a fenced database. Connections are allowed for the moment of connecting, to superusers only where backout is one;
 * every other session that got in is ended, and only our session is left when this returns.
 * @throws FenceTimeoutError; connections are refused again then
 */
export async function sessionInside(endpoint: Endpoint, admin: pg.Client, database: string): Promise<pg.Client> {
  const oid = await databaseOid(admin, database);
  const { connectionLimit } = await readProperties(admin, database);
  const limited = await isSuperuser(admin);
  let client: pg.Client | null = null;
  try {
    if (limited && connectionLimit !== 0) await limitConnections(admin, database, 0);
    await allowConnections(admin, database, true);
    client = await connect(endpoint, database);
  } finally {
    await allowConnections(admin, database, false);
    if (limited && connectionLimit !== 0) await limitConnections(admin, database, connectionLimit);
  }
  try {
    const own = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const spared = own.rows.map(({ pid }) => pid);
    await endSessions(admin, database, oid, spared);
    await assertFenced(admin, database, spared);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

export async function allowConnections(admin: pg.Client, database: string, allowed: boolean): Promise<void> {
  await admin.query(`ALTER DATABASE ${quote(database)} ALLOW_CONNECTIONS ${allowed}`);
}

export async function limitConnections(admin: pg.Client, database: string, limit: number): Promise<void> {
  await admin.query(`ALTER DATABASE ${quote(database)} CONNECTION LIMIT ${Math.trunc(limit)}`);
}
