/** A session of the neutral kind in a PostgreSQL database that is open already. */
import type { Client } from "pg";
import type { SqlSession, SqlValue } from "../systems/sql-session.ts";

export function postgresSession(client: Client): SqlSession {
  return {
    engine: "postgres",
    all: async <Row extends Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []) =>
      (await client.query<Row>(sql, [...values])).rows,
    run: async (sql, values = []) => (await client.query(sql, [...values])).rowCount ?? 0,
    transaction: async (work) => {
      await client.query("BEGIN");
      try {
        await client.query("SET CONSTRAINTS ALL DEFERRED");
        const result = await work();
        await client.query("COMMIT");
        return result;
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      }
    },
  };
}
