/** One transaction of a session that is in none. */
import type { Client } from "pg";

/** Everything that `work` does or nothing of it; what made it fail is thrown on. */
export async function atomically<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
