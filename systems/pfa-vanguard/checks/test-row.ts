/** The row that a check writes, and the removal of everything it caused. */
import type { Client } from "pg";

export const TEST_ROW = { pfaId: "TEST-001", category: "Equipment", description: "written by a verification, removed by it" } as const;

/**
 * Removes the test row with its history and its place in the queue, also what an interrupted verification left behind. A record of that
 * name that somebody else wrote stays.
 * @returns how many rows were removed, over all tables.
 */
export async function removeTestRow(database: Client): Promise<number> {
  const foreign = await database.query("SELECT FROM pfa_records WHERE pfa_id = $1 AND description <> $2", [
    TEST_ROW.pfaId,
    TEST_ROW.description,
  ]);
  if (foreign.rowCount !== 0) return 0;
  let removed = 0;
  const ours = [TEST_ROW.pfaId, TEST_ROW.description];
  await database.query("BEGIN");
  try {
    const { rows } = await database.query<{ queue: boolean }>("SELECT to_regclass('pfa_write_queue') IS NOT NULL AS queue");
    if (rows[0]?.queue === true)
      removed +=
        (await database.query("DELETE FROM pfa_write_queue WHERE pfa_id = $1 AND payload ->> 'description' = $2", ours)).rowCount ?? 0;
    removed +=
      (await database.query("DELETE FROM pfa_modification WHERE pfa_id = $1 AND coalesce(after, before) ->> 'description' = $2", ours))
        .rowCount ?? 0;
    removed += (await database.query("DELETE FROM pfa_records WHERE pfa_id = $1 AND description = $2", ours)).rowCount ?? 0;
    await database.query("COMMIT");
    return removed;
  } catch (error) {
    await database.query("ROLLBACK");
    throw error;
  }
}
