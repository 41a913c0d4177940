/** A session of the neutral kind in a PostgreSQL database that is open already. */
import type { Client } from "pg";
import type { SqlSession, SqlValue } from "../systems/sql-session.ts";
import { atomically } from "./transaction.ts";

export function postgresSession(client: Client): SqlSession {
  return {
    engine: "postgres",
    all: async <Row extends Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []) =>
      (await client.query<Row>(sql, [...values])).rows,
    run: async (sql, values = []) => (await client.query(sql, [...values])).rowCount ?? 0,
    transaction: (work) =>
      atomically(client, async () => {
        await client.query("SET CONSTRAINTS ALL DEFERRED");
        return work();
      }),
  };
}
