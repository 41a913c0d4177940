/** What an engine knows of the tables in its databases. */
import type { SqlSession } from "../../config/system/sql-session.ts";

export interface TableCatalogue {
  /** Two names of one table become equal. */
  readonly canonical: (table: string) => string;
  /** Name of a table without its schema. */
  readonly bare: (table: string) => string;
  /** Quoted for a statement, with its schema where the engine has schemas. */
  readonly tableSql: (table: string) => string;
  /** Follows the columns of an INSERT: numbers that the engine would give keep the value they are given. */
  readonly ownNumbers: string;
  readonly hasTable: (session: SqlSession, table: string) => Promise<boolean>;
  /** Every table with rows of its own, partitions as their root, ledgers of migrations left out. */
  readonly dataTables: (session: SqlSession) => Promise<string[]>;
  /** Columns that can be written. */
  readonly columnsOf: (session: SqlSession, table: string) => Promise<string[]>;
  /** Columns of the primary key, in its order; empty without one. */
  readonly keyOf: (session: SqlSession, table: string) => Promise<string[]>;
}
