/** A session in one database, whatever its engine: what protections, repairs, evidence and accounts of a definition work with. */
export type SqlValue = string | number | bigint | boolean | null;

/** A value as it lies in the database. */
export type ExactValue = SqlValue | Uint8Array;

export interface SqlSession {
  engine: "postgres" | "sqlite";
  /** Rows of a statement. Values stand for `$1`, `$2` … in it, on every engine. */
  all<Row extends Record<string, unknown>>(sql: string, values?: readonly SqlValue[]): Promise<Row[]>;
  /**
   * As `all`, with values that another database of the engine accepts unchanged: PostgreSQL's own text; integers of SQLite as bigint, its bytes
   * as they are.
   */
  exact<Row extends Record<string, ExactValue>>(sql: string, values?: readonly ExactValue[]): Promise<Row[]>;
  /** Runs a statement; resolves with the number of rows it changed. */
  run(sql: string, values?: readonly ExactValue[]): Promise<number>;
  /** All of it or nothing. Foreign keys are checked at its end where the engine can wait that long. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Inside a transaction: without the triggers and rules of these tables, which are afterwards as they were. Numbers that the engine gives their rows
   * go on after those that were put in.
   */
  quietly<T>(tables: readonly string[], work: () => Promise<T>): Promise<T>;
}
