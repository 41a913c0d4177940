/** Several sessions that see a database as it is at one moment, while others write. */
import type { Client } from "pg";

/** Name of a moment, as the server exports it: valid for as long as the session that named it stays in its transaction. */
export type Moment = string;

/**
 * Runs `work` in a transaction that only reads and sees what was committed when it began; other sessions may join it by its name. Row security that
 * would hide rows is an error. Nobody is kept from writing.
 */
export async function atOneMoment<T>(client: Client, work: (moment: Moment) => Promise<T>): Promise<T> {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    await client.query("SET LOCAL row_security = off");
    const { rows } = await client.query<{ moment: string }>("SELECT pg_export_snapshot() AS moment");
    return await work(rows[0]!.moment);
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}
