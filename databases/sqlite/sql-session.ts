/** A session of the neutral kind in a SQLite file that is open already. */
import type { DatabaseSync } from "node:sqlite";
import type { ExactValue, SqlSession, SqlValue } from "../../config/system/sql-session.ts";
import { exact, first, run } from "./database.ts";
import { withoutTriggers } from "./reapply-quiet.ts";

export function sqliteSession(database: DatabaseSync): SqlSession {
  return {
    engine: "sqlite",
    all: async <Row extends Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []) =>
      Promise.resolve(exact<Row>(database, sql, values).map(readable)),
    exact: async <Row extends Record<string, ExactValue>>(sql: string, values: readonly ExactValue[] = []) =>
      Promise.resolve(exact<Row>(database, sql, values)),
    run: async (sql, values = []) => Promise.resolve(run(database, sql, values)),
    transaction: async (work) => {
      const checks = first<{ foreign_keys: number }>(database, "PRAGMA foreign_keys")?.foreign_keys === 1;
      // Off in sessions that move data as it is; what a transaction changes must hold.
      database.exec("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE");
      try {
        // Ends with the transaction; rows can then be put back in any order.
        database.exec("PRAGMA defer_foreign_keys = ON");
        const result = await work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      } finally {
        if (!checks) database.exec("PRAGMA foreign_keys = OFF");
      }
    },
    quietly: (tables, work) => withoutTriggers(database, tables, work),
  };
}

/** Integers as numbers, but for those that a number would round. */
function readable<Row extends Record<string, unknown>>(row: Row): Row {
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value,
  ]);
  return Object.fromEntries(entries) as Row;
}
