/** The entry a system wants about a rollback: values are parameters, and the same entry is written once. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeAuditLine, writeAuditRow } from "../../rollout/audit-entry.ts";
import { memory } from "./memory.ts";

const ACCOUNT = { table: "governance_logs", identity: ["timestamp", "event_type"] };
const entry = {
  timestamp: "2026-01-01T00:00:00Z",
  event_type: "emergency_rollback",
  success: false,
  details: { reason: `it's "quoted"; DROP TABLE governance_logs` },
};
const TABLE = "CREATE TABLE governance_logs (id INTEGER PRIMARY KEY, timestamp TEXT, event_type TEXT, success INTEGER, details TEXT)";

test("quotes in it do no harm, objects become JSON, and a second run adds nothing", async () => {
  const { session } = memory(TABLE);
  expect(await writeAuditRow(session, ACCOUNT, entry)).toBe(true);
  expect(await writeAuditRow(session, ACCOUNT, entry)).toBe(false);
  const rows = await session.all<{ success: number; details: string }>("SELECT success, details FROM governance_logs");
  expect(rows).toHaveLength(1);
  expect(rows[0]?.success).toBe(0);
  expect(JSON.parse(rows[0]?.details ?? "")).toEqual(entry.details);
});

test("an older schema gets the columns it has; without the table there is no row", async () => {
  const { session } = memory("CREATE TABLE governance_logs (timestamp TEXT, event_type TEXT)");
  expect(await writeAuditRow(session, ACCOUNT, entry)).toBe(true);
  expect(await session.all("SELECT * FROM governance_logs")).toEqual([{ timestamp: entry.timestamp, event_type: entry.event_type }]);
  expect(await writeAuditRow(memory("CREATE TABLE other (id)").session, ACCOUNT, entry)).toBe(false);
});

test("the line is written once, also after a line that a kill cut off", () => {
  const folder = mkdtempSync(join(tmpdir(), "backout-account-"));
  const file = join(folder, "logs", "governance.jsonl");
  try {
    expect(writeAuditLine(file, ACCOUNT, entry)).toBe(true);
    appendFileSync(file, '{"timestamp":"2026-02');
    expect(writeAuditLine(file, ACCOUNT, { ...entry, timestamp: "2026-03-01T00:00:00Z" })).toBe(true);
    expect(writeAuditLine(file, ACCOUNT, entry)).toBe(false);
    expect(readFileSync(file, "utf8").trimEnd().split("\n")).toHaveLength(3);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
