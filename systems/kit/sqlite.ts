/** A program's access to its SQLite file: one session, transactions one after another. */
import { DatabaseSync } from "node:sqlite";
import { sqliteSession } from "../../databases/sqlite/sql-session.ts";
import type { SqlSession, SqlValue } from "../../config/system/sql-session.ts";

/** How long a statement waits for another process in the middle of a transaction. Milliseconds. */
const BUSY_MS = 5000;

export interface SqliteDatabase {
  read<Row extends Record<string, unknown>>(sql: string, values?: readonly SqlValue[]): Promise<Row[]>;
  /** One transaction, isolated from statements of other requests. */
  transaction<T>(work: (session: SqlSession) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export function openSqlite(file: string): SqliteDatabase {
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
  const session = sqliteSession(database);
  let last: Promise<unknown> = Promise.resolve();
  // There is one session: a request that came between BEGIN and COMMIT of another would become part of it.
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    read: <Row extends Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []) =>
      inTurn(() => session.all<Row>(sql, values)),
    transaction: (work) => inTurn(() => session.transaction(() => work(session))),
    end: () => inTurn(async () => Promise.resolve(database.close())),
  };
}
