/** Checks of the data itself. */
import { COMPARED_TABLES, COUNTED_TABLES, NEEDED_COLUMNS } from "../database.ts";
import { PERMISSIONS } from "../protections.ts";
import { countIsRight, countingInWords } from "../../../config/system/counting.ts";
import { check, failed, passed, skipped } from "../../kit/outcome.ts";

const DATABASE = "production";

export const integrity = check("integrity", "integrity_check and quick_check say ok", async (context) => {
  const database = context.sqlite(DATABASE);
  const said: string[] = [];
  for (const pragma of ["integrity_check", "quick_check"]) {
    const lines = (database.prepare(`PRAGMA ${pragma}`).all() as Record<string, string>[]).map((row) => row[pragma] ?? "");
    if (lines.length !== 1 || lines[0] !== "ok") return failed(`${pragma}: ${lines.slice(0, 5).join("; ")}`);
    said.push(`${pragma} ok`);
  }
  return Promise.resolve(passed(said.join(", ")));
});

export const counts = check("counts", "Rows per table equal those before: MATCH or MISMATCH", async (context) => {
  const { baseline } = context;
  if (baseline === null) return skipped("nothing was counted before");
  const database = context.sqlite(DATABASE);
  const lines: string[] = [];
  let mismatches = 0;
  for (const table of COUNTED_TABLES) {
    const expected = baseline.counts[table];
    if (expected === undefined) continue;
    const { rows } = database.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number };
    if (!COMPARED_TABLES.includes(table)) {
      lines.push(`${table} ${rows} (before: ${expected}, not compared)`);
      continue;
    }
    const match = countIsRight(context, rows, expected);
    if (!match) mismatches += 1;
    lines.push(`${table} ${rows} of ${expected} ${match ? "MATCH" : "MISMATCH"}`);
  }
  const detail = `${lines.join(", ")}; counted ${baseline.at} at ${baseline.release || "no release"}${countingInWords(context)}`;
  if (lines.length === 0) return skipped("none of the tables was counted before");
  return Promise.resolve(mismatches > 0 ? failed(detail) : passed(detail));
});

export const schemaCompatible = check("schema-compatible", "The schema has everything the running release needs", async (context) => {
  const database = context.sqlite(DATABASE);
  const missing: string[] = [];
  for (const [table, columns] of Object.entries(NEEDED_COLUMNS)) {
    const there = (database.prepare("SELECT name FROM pragma_table_info(?)").all(table) as { name: string }[]).map(({ name }) => name);
    for (const column of columns) if (!there.includes(column)) missing.push(`${table}.${column}`);
  }
  if (missing.length > 0) return failed(`${context.releases["app"] ?? "the release"} needs ${missing.join(", ")}, which the schema lacks`);
  return Promise.resolve(passed(`${Object.keys(NEEDED_COLUMNS).length} tables with every column that is needed`));
});

interface Permission {
  id: number;
  user_id: string;
  role: string;
  access_level: string | null;
  original_access_level: string | null;
}

export const permissions = check("permissions", "Permissions are unchanged, or restricted with every original saved", async (context) => {
  const held = context.protections?.[PERMISSIONS] ?? null;
  const rows = context
    .sqlite(DATABASE)
    .prepare("SELECT id, user_id, role, access_level, original_access_level FROM user_permissions ORDER BY id")
    .all() as unknown as Permission[];
  const spared = rows.filter(({ role }) => role === "superuser" || role === "emergency_admin");
  const locked = spared.filter(({ access_level: level }) => level === null || level === "read_only");
  if (locked.length > 0) return failed(`${locked.map((one) => one.user_id).join(", ")} must never be restricted, but is restricted`);
  if (spared.length === 0) return failed("no superuser and no emergency_admin found");
  const restricted = held?.restricted === true;
  const wrong: string[] = [];
  for (const row of rows) {
    if (spared.includes(row)) continue;
    const original = held?.originals.find(({ key }) => Number(key) === row.id);
    if (row.access_level === null) wrong.push(`${row.user_id} has no level`);
    else if (restricted && row.access_level !== "read_only") wrong.push(`${row.user_id} is not restricted (${row.access_level})`);
    else if (restricted && original === undefined) wrong.push(`${row.user_id} is restricted and its original is not saved`);
    else if (!restricted && row.original_access_level !== null) wrong.push(`${row.user_id} is still restricted`);
    else if (!restricted && original !== undefined && row.access_level !== original.value)
      wrong.push(`${row.user_id} has ${row.access_level}, had ${String(original.value)}`);
  }
  if (wrong.length > 0) return failed(wrong.join("; "));
  return Promise.resolve(
    passed(
      restricted
        ? `${held.originals.length} users are read-only until users are let in; every original is saved`
        : `${rows.length} users unchanged`,
    ),
  );
});
