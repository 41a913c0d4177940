/** Rows that were left out, as a file beside the export: however many there are, none is kept in memory. */
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { WholeFile } from "../export-file.ts";
import { linesOf, parseJsonLine } from "../export-format.ts";
import { LINE, DETAIL, OP, REASON, UNCHANGED, type Sql } from "./decide.ts";
import { NO_ROWS, type ConflictReason, type ReapplyConflict, type ReapplyCounts } from "./result.ts";

const PAGE = 1_000;

export interface Staging {
  name: string;
  staged: string;
  /** JSON Lines of the export. */
  path: string;
}

/** What becomes of every staged row, once it is decided. */
export async function countsOf(sql: Sql, { staged }: Pick<Staging, "staged">): Promise<ReapplyCounts> {
  const counts = { ...NO_ROWS };
  const rows = await sql.all<{ op: string; reason: string | null; rows: number | string }>(
    `SELECT ${OP} AS op, ${REASON} AS reason, count(*) AS rows FROM ${staged} GROUP BY 1, 2`,
  );
  for (const { op, reason, rows: number } of rows) {
    const written = op === "insert" ? "inserted" : op === "update" ? "updated" : "deleted";
    const as = reason === null ? written : reason === UNCHANGED ? UNCHANGED : reason === "not held" ? "notHeld" : "conflicts";
    counts[as] += Number(number);
  }
  return counts;
}

export function conflictPath(folder: string, runId: string): string {
  return join(folder, `${runId}.conflicts.jsonl`);
}

/** JSON Lines, one per row in conflict, whole or absent. @returns null where there is none */
export async function writeConflicts(sql: Sql, tables: readonly Staging[], path: string): Promise<string | null> {
  await rm(path, { force: true });
  const file = await WholeFile.begin(path);
  let any = false;
  try {
    for (const table of tables)
      for await (const conflict of conflictsOf(sql, table)) {
        await file.write(`${JSON.stringify(conflict)}\n`);
        any = true;
      }
    if (any) await file.commit();
  } finally {
    await file.discard();
  }
  return any ? path : null;
}

/** The export says what the row was, the staged row why it was left out. */
async function* conflictsOf(sql: Sql, { name, staged, path }: Staging): AsyncGenerator<ReapplyConflict> {
  const told = toldRows(sql, staged);
  let next = await told.next();
  if (next.done === true) return;
  let line = 0;
  for await (const text of linesOf(createReadStream(path))) {
    line++;
    if (Number(next.value.line) !== line) continue;
    const { op, key, row, before } = parseJsonLine(name, text);
    yield { table: name, op, key: (key ?? row ?? before)!, reason: next.value.reason, detail: next.value.detail };
    next = await told.next();
    if (next.done === true) return;
  }
}

interface Told {
  line: number | string;
  reason: ConflictReason;
  detail: string;
}

async function* toldRows(sql: Sql, staged: string): AsyncGenerator<Told, void> {
  for (let after = 0; ;) {
    const page = await sql.all<Told>(
      `SELECT ${LINE} AS line, ${REASON} AS reason, ${DETAIL} AS detail FROM ${staged}
        WHERE ${REASON} NOT IN ('${UNCHANGED}', 'not held') AND ${LINE} > ${after} ORDER BY ${LINE} LIMIT ${PAGE}`,
    );
    yield* page;
    if (page.length < PAGE) return;
    after = Number(page.at(-1)!.line);
  }
}
