import type { Client } from "pg";
import { removeTestRow } from "./test-row.ts";
import { countIsRight, countingInWords } from "../../../config/system/counting.ts";
import { failed, passed, skipped, writingCheck } from "../../kit/outcome.ts";

const TABLES = ["pfa_records", "pfa_modification"];

/** Before the check that writes, whose row would be counted. */
export const count = writingCheck("count", "6 Row counts equal those before", async (context) => {
  const database = await context.database("pfa");
  await removeTestRow(database);
  const { baseline } = context;
  if (baseline === null) return skipped("nothing was counted before");
  const seen: string[] = [];
  for (const table of TABLES) {
    const before = baseline.counts[table];
    if (before === undefined) continue;
    const now = await countRows(database, table);
    seen.push(`${table} ${now} (before: ${before})`);
    if (!countIsRight(context, now, before))
      return failed(
        `${table} has ${now} rows, counted ${baseline.at} at ${baseline.release}: ${before}${context.dataRestored ? " (data restored)" : ""}`,
      );
  }
  if (seen.length === 0) return skipped(`neither ${TABLES.join(" nor ")} was counted before`);
  return passed(seen.join(", ") + countingInWords(context));
});

async function countRows(database: Client, table: string): Promise<number> {
  const { rows } = await database.query<{ rows: number }>(`SELECT count(*)::float8 AS rows FROM ${table}`);
  return rows[0]!.rows;
}
