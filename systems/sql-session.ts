/** A session in one database, whatever its engine: what protections, repairs, evidence and accounts of a definition work with. */
export type SqlValue = string | number | bigint | boolean | null;

export interface SqlSession {
  engine: "postgres" | "sqlite";
  /** Rows of a statement. Values stand for `$1`, `$2` … in it, on every engine. */
  all<Row extends Record<string, unknown>>(sql: string, values?: readonly SqlValue[]): Promise<Row[]>;
  /** Runs a statement; resolves with the number of rows it changed. */
  run(sql: string, values?: readonly SqlValue[]): Promise<number>;
  /** All of it or nothing. Foreign keys are checked at its end where the engine can wait that long. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
}
