/** A session of the neutral kind in a PostgreSQL database that is open already. */
import type { Client } from "pg";
import type { ExactValue, SqlSession, SqlValue } from "../../config/system/sql-session.ts";
import { AS_TEXT } from "./comparison-rows.ts";
import { canonicalTable, qualified } from "../shared/identifiers.ts";
import { quietly } from "./reapply-quiet.ts";
import { advanceSequences } from "./reapply-sequences.ts";
import { atomically } from "./transaction.ts";

export function postgresSession(client: Client): SqlSession {
  return {
    engine: "postgres",
    all: async <Row extends Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []) =>
      (await client.query<Row>(sql, [...values])).rows,
    exact: async <Row extends Record<string, ExactValue>>(text: string, values: readonly ExactValue[] = []) =>
      (await client.query<Row>({ text, values: [...values], types: AS_TEXT })).rows,
    run: async (sql, values = []) => (await client.query(sql, [...values])).rowCount ?? 0,
    transaction: (work) =>
      atomically(client, async () => {
        await client.query("SET CONSTRAINTS ALL DEFERRED");
        return work();
      }),
    quietly: async (tables, work) => {
      const targets = tables.map((name) => ({ name, identifier: qualified(name) }));
      const result = await quietly(client, { targets, references: [] }, work);
      await advanceSequences(client, tables.map(canonicalTable));
      return result;
    },
  };
}
