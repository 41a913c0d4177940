/** A session of the neutral kind in a SQLite file that is open already. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { SqlSession, SqlValue } from "../systems/sql-session.ts";

export function sqliteSession(database: DatabaseSync): SqlSession {
  return {
    engine: "sqlite",
    all: async <Row extends Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []) =>
      Promise.resolve(database.prepare(sql).all(named(values)) as Row[]),
    run: async (sql, values = []) => Promise.resolve(Number(database.prepare(sql).run(named(values)).changes)),
    transaction: async (work) => {
      database.exec("BEGIN IMMEDIATE");
      try {
        // Ends with the transaction; rows can then be put back in any order.
        database.exec("PRAGMA defer_foreign_keys = ON");
        const result = await work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
    },
  };
}

/** `$1` is the name of a parameter here, not its place. */
function named(values: readonly SqlValue[]): Record<string, SQLInputValue> {
  return Object.fromEntries(values.map((value, index) => [String(index + 1), typeof value === "boolean" ? Number(value) : value]));
}
