/**
 * The data fence where the database can be neither renamed nor left: only its owner may connect from then on, and every other session is ended.
 * backout's own sessions are the owner's with backout's name.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { APPLICATION_NAME } from "../postgres/connection.ts";
import { quote } from "../shared/identifiers.ts";
import { preparedTransactions, servicesOnly, SESSIONS_END_MS, type Admission, type FenceOutcome } from "../postgres/fence.ts";
import { NotFencedError, PreparedTransactionError } from "../postgres/fence-errors.ts";
import { readProperties, type DatabaseGrant, type DatabaseProperties } from "../postgres/properties.ts";
import { describeInterrupted, describeSession, isInterrupted, signalSessions, type Session } from "../postgres/sessions.ts";
import { ForeignSessionError } from "./errors.ts";

/** Sessions of others in this database. `endable`: this role may end the session. */
interface Foreign extends Session {
  endable: boolean;
}

/** Kind and name of other roles' sessions are hidden from an ordinary role; what the server itself works on has no user. */
const SESSIONS = `
  SELECT a.pid, a.usename AS user, a.application_name AS application, a.backend_type AS kind, a.state, a.xact_start AS since,
    coalesce(NOT r.rolsuper AND (pg_has_role(current_user, r.oid, 'USAGE') OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')), false)
      OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS endable
  FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
    AND NOT (a.usename = current_user AND a.application_name = $1)
  ORDER BY a.pid`;

async function foreignSessions(client: Client): Promise<Foreign[]> {
  return (await client.query<Foreign>(SESSIONS, [APPLICATION_NAME])).rows;
}

async function ownName(client: Client): Promise<string> {
  return (await client.query<{ name: string }>("SELECT current_database() AS name")).rows[0]!.name;
}

/** What would make the fence fail: looked at before anything is stopped. @throws ForeignSessionError, PreparedTransactionError */
export async function refuseUnclosable(client: Client): Promise<void> {
  const database = await ownName(client);
  const prepared = await preparedTransactions(client, database);
  if (prepared.length > 0) throw new PreparedTransactionError(database, prepared);
  const stuck = (await foreignSessions(client)).filter(({ endable }) => !endable);
  if (stuck.length > 0) throw new ForeignSessionError(database, stuck);
}

/** The grants of a database that lets its owner in and nobody else. */
function ownerOnly({ owner, grants }: DatabaseProperties): DatabaseGrant[] {
  return servicesOnly(grants, owner);
}

async function setGrants(
  client: Client,
  database: string,
  wanted: readonly DatabaseGrant[],
  current: readonly DatabaseGrant[],
): Promise<void> {
  const name = (grantee: string | null): string => (grantee === null ? "PUBLIC" : quote(grantee));
  const connect = (grants: readonly DatabaseGrant[]): DatabaseGrant[] => grants.filter(({ privileges }) => privileges.includes("CONNECT"));
  const key = ({ grantee, grantable }: DatabaseGrant): string => JSON.stringify([grantee, grantable]);
  const wants = new Set(connect(wanted).map(key));
  const has = new Set(connect(current).map(key));
  const statements = [
    ...connect(current)
      .filter((grant) => !wants.has(key(grant)))
      .map(({ grantee }) => `REVOKE CONNECT ON DATABASE ${quote(database)} FROM ${name(grantee)} CASCADE`),
    ...connect(wanted)
      .filter((grant) => !has.has(key(grant)))
      .map(
        ({ grantee, grantable }) =>
          `GRANT CONNECT ON DATABASE ${quote(database)} TO ${name(grantee)}${grantable ? " WITH GRANT OPTION" : ""}`,
      ),
  ];
  if (statements.length > 0) await client.query(statements.join(";\n"));
}

/** Pause between two queries for sessions. Milliseconds. */
const RETRY_MS = 50;

/**
 * Takes CONNECT from everybody but the owner, ends every foreign session and returns when none is left. Where one cannot be ended, CONNECT is
 * given back as it was and the fence is refused.
 * @throws ForeignSessionError, PreparedTransactionError: the database is as open as before
 */
export async function closeInPlace(client: Client): Promise<FenceOutcome> {
  const started = Date.now();
  const database = await ownName(client);
  await refuseUnclosable(client);
  const before = await readProperties(client, database);
  await setGrants(client, database, ownerOnly(before), before.grants);
  const ended = new Set<number>();
  const interrupted = new Map<number, string>();
  let quiet = 0;
  for (;;) {
    const sessions = await foreignSessions(client);
    // Twice in a row: a session that was being opened shows a moment later.
    quiet = sessions.length === 0 ? quiet + 1 : 0;
    if (quiet >= 2) break;
    const stuck = sessions.filter(({ endable }) => !endable);
    if (stuck.length > 0 || Date.now() - started > SESSIONS_END_MS) {
      await setGrants(client, database, before.grants, (await readProperties(client, database)).grants);
      throw new ForeignSessionError(database, stuck.length > 0 ? stuck : sessions);
    }
    for (const session of sessions) if (isInterrupted(session)) interrupted.set(session.pid, describeInterrupted(session));
    await signalSessions(client, sessions);
    for (const { pid } of sessions) ended.add(pid);
    await sleep(RETRY_MS);
  }
  const late = await preparedTransactions(client, database);
  if (late.length > 0) {
    await setGrants(client, database, before.grants, (await readProperties(client, database)).grants);
    throw new PreparedTransactionError(database, late);
  }
  return {
    endedSessions: ended.size,
    preparedTransactions: 0,
    waitedMs: Date.now() - started,
    rolledBack: [...interrupted.values()],
    slots: [],
  };
}

/** @throws NotFencedError */
export async function assertClosed(client: Client): Promise<void> {
  const database = await ownName(client);
  const properties = await readProperties(client, database);
  const others = properties.grants.filter(({ grantee, privileges }) => privileges.includes("CONNECT") && grantee !== properties.owner);
  if (others.length > 0) throw new NotFencedError(database, `${others.map(({ grantee }) => grantee ?? "PUBLIC").join(", ")} may connect`);
  const sessions = await foreignSessions(client);
  if (sessions.length > 0) throw new NotFencedError(database, `there are sessions in it: ${sessions.map(describeSession).join("; ")}`);
}

/** Opens stage by stage, to what was saved before the first fence of the rollout. Changes nothing where it is open to that stage. */
export async function admitInPlace(
  client: Client,
  stage: "services" | "everybody",
  { servicesRole, admits = [], saved }: Admission,
): Promise<void> {
  const database = await ownName(client);
  const { grants, owner } = await readProperties(client, database);
  const wanted =
    stage === "everybody"
      ? saved.grants
      : [...servicesOnly(saved.grants, servicesRole, ...admits), { grantee: owner, privileges: ["CONNECT"], grantable: false }];
  await setGrants(client, database, wanted, grants);
}
