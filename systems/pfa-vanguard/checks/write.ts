import { AnswerError, ORGANIZATION, request } from "../api.ts";
import { failed, passed, skipped, writingCheck } from "../../kit/outcome.ts";
import { removeTestRow, TEST_ROW } from "./test-row.ts";
import { session } from "./session.ts";

export const write = writingCheck("write", "4 Writing works; the test row is removed afterwards", async (context) => {
  if (context.maintenance.mode !== "off") return skipped(`the system is declared ${context.maintenance.mode}: users cannot write`);
  const database = await context.database("pfa");
  await removeTestRow(database);
  const token = await session(context);
  try {
    const body = { organizationId: ORGANIZATION, ...TEST_ROW };
    // A row pushed to PEMS could not be reverted.
    const response = await request(context, token, "/api/pfa-data", { method: "POST", body, headers: { "x-sync": "off" } });
    const text = await response.text();
    if (response.status === 409) return failed(`a record ${TEST_ROW.pfaId} exists that no verification wrote; rename it`);
    if (response.status !== 200) throw new AnswerError("POST /api/pfa-data", response.status, text);
    const { rows } = await database.query<{ category: string }>("SELECT category FROM pfa_records WHERE pfa_id = $1", [TEST_ROW.pfaId]);
    if (rows[0]?.category !== TEST_ROW.category)
      return failed(`the write was acknowledged, but the database has ${JSON.stringify(rows[0] ?? null)}`);
  } finally {
    await removeTestRow(database);
  }
  return passed(`${TEST_ROW.pfaId} written, found and removed`);
});
