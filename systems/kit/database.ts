/** A program's database access that survives a swap of the database, and a restart of its server. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { describeError, type Log } from "./log.ts";

const RETRY_DELAYS_MS = [25, 100, 250, 500, 1000];

/**
 * What a client sees while a database is renamed, fenced or its server restarts: "renamed" (55000), ended session (57P01, 57P02), server
 * starting (57P03), "does not exist" (3D000) and "permission denied" (42501) in the middle of a swap.
 */
const PASSING = new Set(["55000", "57P01", "57P02", "57P03", "3D000", "42501", "ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/** The client's own messages for a lost connection, without a code. */
const LOST = /^Connection terminated|is not queryable$|^timeout exceeded when trying to connect/;

function isPassing(error: unknown): boolean {
  const { code, reason } = describeError(error);
  return (code !== undefined && (PASSING.has(code) || code.startsWith("08"))) || LOST.test(reason);
}

/** The connection was lost during a commit: a retry might do it twice, so the caller has to check. */
export class CommitUnknownError extends Error {
  constructor(cause: unknown) {
    super(`the connection was lost during COMMIT: ${describeError(cause).reason}; check whether the change exists before you repeat it`, {
      cause,
    });
    this.name = "CommitUnknownError";
  }
}

export interface Session {
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<pg.QueryResult<Row>>;
}

export interface Database {
  /** An idempotent statement: retried if the database was swapped meanwhile. */
  read<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** One transaction. Retried only if nothing was committed. @throws CommitUnknownError */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Number of sessions, their limit, and the number of waiters. */
  sessions(): Sessions;
  end(): Promise<void>;
}

export interface Sessions {
  max: number;
  total: number;
  idle: number;
  /** Pieces of work that wait for a session. */
  waiting: number;
}

const SESSIONS = 8;

/** @param max sessions at the same time. */
export function openDatabase(connectionString: string, applicationName: string, log: Log, max: number = SESSIONS): Database {
  const pool = new pg.Pool({
    connectionString,
    application_name: applicationName,
    max,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30_000,
  });
  // Without a listener, an idle session that the server ends would crash the process.
  pool.on("error", (error) => log.warn("an idle database session was ended", describeError(error)));
  return {
    read: async <Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []) =>
      retrying(log, async () => (await pool.query<Row>(sql, values)).rows, isPassing),
    transaction: (work) => transaction(pool, log, work),
    sessions: () => ({ max, total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    end: () => pool.end(),
  };
}

async function transaction<T>(pool: pg.Pool, log: Log, work: (session: Session) => Promise<T>): Promise<T> {
  const attempt = async (): Promise<T> => {
    const client = await pool.connect();
    let committing = false;
    let broken: Error | undefined;
    // While it is checked out the pool does not listen for it.
    const lost = (error: Error): void => void (broken = error);
    client.on("error", lost);
    try {
      await client.query("BEGIN");
      const result = await work(client);
      committing = true;
      await client.query("COMMIT");
      return result;
    } catch (error) {
      if (isPassing(error)) broken = error as Error;
      else await client.query("ROLLBACK").catch((failure: Error) => void (broken = failure));
      throw committing && isPassing(error) ? new CommitUnknownError(error) : error;
    } finally {
      client.off("error", lost);
      client.release(broken);
    }
  };
  return retrying(log, attempt, (error) => !(error instanceof CommitUnknownError) && isPassing(error));
}

async function retrying<T>(log: Log, attempt: () => Promise<T>, again: (error: unknown) => boolean): Promise<T> {
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return await attempt();
    } catch (error) {
      if (!again(error)) throw error;
      log.warn("the database was away, trying again", { delayMs, ...describeError(error) });
      await sleep(delayMs);
    }
  }
  return attempt();
}
