/** Whether a file is sound: `integrity_check` knows nothing of foreign keys, so both are asked. */
import type { DatabaseSync } from "node:sqlite";
import { all } from "./database.ts";

/** A copy is damaged: it is never used. */
export class DamagedCopyError extends Error {
  readonly path: string;
  readonly problems: string[];
  constructor(path: string, problems: string[]) {
    super(`${path} is damaged: ${problems.slice(0, 3).join("; ")}. It was not used and nothing was cut over: take or pin another snapshot`);
    this.name = "DamagedCopyError";
    this.path = path;
    this.problems = problems;
  }
}

/** @param how `quick`: without comparing indexes with their tables. */
export function problemsOf(db: DatabaseSync, how: "full" | "quick" = "full"): string[] {
  const rows = all<Record<string, string>>(db, how === "full" ? "PRAGMA integrity_check(20)" : "PRAGMA quick_check(20)");
  const said = rows.flatMap((row) => Object.values(row));
  return said.length === 1 && said[0] === "ok" ? [] : said;
}

export function orphansOf(db: DatabaseSync): Record<string, number> {
  const orphans: Record<string, number> = {};
  for (const { table } of all<{ table: string }>(db, "PRAGMA foreign_key_check")) orphans[table] = (orphans[table] ?? 0) + 1;
  return orphans;
}
