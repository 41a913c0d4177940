import type { Client } from "pg";
import { countIsRight, countingInWords } from "../../../config/system/counting.ts";
import { failed, passed, skipped, writingCheck } from "../../kit/outcome.ts";
import { removeTrial } from "../chain.ts";
import { DATABASE } from "../database.ts";
import { TRIAL } from "./alert-chain.ts";

/** When a row was added: services work before users are let in, and may add rows from a backlog. */
const CAME_IN = { radiation_personnel: null, dose_readings: "imported_at", alerts: "raised_at" } as const;

/** Before the check that writes, whose rows would be counted. */
export const count = writingCheck("count", "radiation_personnel, dose_readings and alerts have as many rows as before", async (context) => {
  const { baseline, counting } = context;
  const database = await context.database(DATABASE);
  await removeTrial(database, TRIAL);
  if (baseline === null) return skipped("nothing was counted before");
  const seen: string[] = [];
  for (const [table, cameIn] of Object.entries(CAME_IN)) {
    const before = baseline.counts[table];
    if (before === undefined) continue;
    const { all, older } = await countRows(database, table, cameIn, baseline.at);
    seen.push(`${table} ${all} (before: ${before})`);
    const lost = !countIsRight({ counting: counting === "exact" ? "at least" : counting }, all, before);
    const surplus = counting === "exact" && older > before;
    if (lost || surplus)
      return failed(
        `${table} has ${all} rows${all === older ? "" : `, ${older} of them from before`}; counted ${baseline.at} at ${baseline.release}: ${before}`,
      );
  }
  if (seen.length === 0) return skipped(`none of ${Object.keys(CAME_IN).join(", ")} was counted before`);
  return passed(seen.join(", ") + countingInWords(context));
});

async function countRows(database: Client, table: string, cameIn: string | null, at: string): Promise<{ all: number; older: number }> {
  const older = cameIn === null ? "true" : `${cameIn} <= $1::timestamptz`;
  const { rows } = await database.query<{ all: number; older: number }>(
    `SELECT count(*)::float8 AS all, count(*) FILTER (WHERE ${older})::float8 AS older FROM ${table}`,
    cameIn === null ? [] : [at],
  );
  return rows[0]!;
}
