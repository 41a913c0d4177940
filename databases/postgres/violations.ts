/** Rows of a check's SQL file, in a session of its own. */
import Cursor from "pg-cursor";
import type { Client } from "pg";
import type { Endpoint } from "../../config/endpoint.ts";
import type { ViolationQuery } from "../../config/system/check.ts";
import { ScriptFailedError, ScriptSlowError } from "../shared/script-errors.ts";
import { splitStatements, type Statement } from "../shared/migrations/statements.ts";
import { connect } from "./connection.ts";

type Row = Record<string, unknown>;
type Query = Pick<ViolationQuery, "script" | "writes" | "timeoutMs" | "limit">;

/** Time for the server's own answer that a statement took too long. Milliseconds. */
const ANSWER_MS = 1_000;
const QUERY_CANCELLED = "57014";

/** @throws ScriptFailedError, ScriptSlowError, UnreachableError */
export async function violationsIn(endpoint: Endpoint, database: string, query: Query): Promise<Row[]> {
  const client = await connect(endpoint, database, { readOnly: !query.writes });
  let slow = false;
  const limit = setTimeout(() => {
    slow = true;
    // The server ends the statement itself; one that does not answer is not waited for.
    void client.end().catch(() => undefined);
  }, query.timeoutMs + ANSWER_MS);
  try {
    await client.query("SELECT set_config('statement_timeout', $1, false)", [String(Math.ceil(query.timeoutMs))]);
    return await (query.writes ? writeAndRollBack(client, query) : read(client, query));
  } catch (error) {
    const cancelled = error instanceof ScriptFailedError && (error.cause as { code?: string }).code === QUERY_CANCELLED;
    throw slow || cancelled ? new ScriptSlowError(query.timeoutMs) : error;
  } finally {
    clearTimeout(limit);
    await client.end().catch(() => undefined);
  }
}

/** Each statement alone in a transaction that refuses to write: a script cannot end it and go on outside. */
async function read(client: Client, { script, limit }: Query): Promise<Row[]> {
  const rows: Row[] = [];
  for (const statement of splitStatements(script)) {
    // After the first query a transaction cannot be made to write.
    await client.query("BEGIN READ ONLY; SELECT 1");
    rows.push(...(await rowsOf(client, statement, limit - rows.length)));
    await client.query("COMMIT");
    if (rows.length >= limit) break;
  }
  return rows;
}

async function writeAndRollBack(client: Client, { script, limit }: Query): Promise<Row[]> {
  const rows: Row[] = [];
  await client.query("BEGIN; SAVEPOINT backout_check");
  for (const statement of splitStatements(script)) rows.push(...(await rowsOf(client, statement, Math.max(1, limit - rows.length))));
  await client.query("ROLLBACK TO SAVEPOINT backout_check").catch((error: Error) => {
    throw new Error("the script ended its transaction, so what it wrote until then stays: remove its COMMIT", { cause: error });
  });
  await client.query("ROLLBACK");
  return rows.slice(0, limit);
}

async function rowsOf(client: Client, { text, line }: Statement, limit: number): Promise<Row[]> {
  const cursor = client.query(new Cursor<Row>(text));
  try {
    return await cursor.read(limit);
  } catch (error) {
    throw new ScriptFailedError(line, error as Error);
  } finally {
    await cursor.close().catch(() => undefined);
  }
}
