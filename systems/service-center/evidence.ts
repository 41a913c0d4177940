/** Evidence before a rollback changes anything: the error log, and the rows of tables that only the newer release has, as CSV. */
import { WholeFile } from "../../databases/shared/export-file.ts";
import { csvRecord } from "../../databases/shared/export-format.ts";
import { qualified, quote } from "../../databases/shared/identifiers.ts";
import type { CaptureDefinition, EvidenceDefinition } from "../../config/system/evidence.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";
import { DATABASE, PHASE_2_TABLES } from "./database.ts";

const PAGE = 2000;
/** Below every id of the kind bigint. */
const LOWEST = String(-(2n ** 63n));

const LOG_LINES = 1000;

/** The newer application's error log: the next start begins a new one. */
const log: CaptureDefinition = {
  id: "error-log",
  title: "error log of the newer application",
  moment: "protect",
  file: "app_errors_{stamp}.log",
  capture: async (context) => {
    const lines = await context.errorLog("app", LOG_LINES);
    return lines.length === 0 ? "(none)\n" : `${lines.join("\n")}\n`;
  },
};

const tables: CaptureDefinition[] = PHASE_2_TABLES.map((table) => ({
  id: `${table}-csv`,
  title: `${table} as CSV, before its table is dropped`,
  // Nobody writes any more, and the database is not restored yet.
  moment: "fenced",
  file: `${table}_{stamp}.csv`,
  capture: async (context, file) => {
    await writeTable(await context.session(DATABASE), table, context.path(file));
    return null;
  },
}));

export const evidence: EvidenceDefinition = { anchor: "phase-2-rollback-{stamp}", captures: [log, ...tables] };

/** In the order of its ids, a page at a time. A table that is not there leaves no file. */
async function writeTable(session: SqlSession, table: string, path: string): Promise<void> {
  const columns = await session.all<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    [qualified(table)],
  );
  if (columns.length === 0) return;
  const names = columns.map(({ name }) => name);
  const list = names.map((name) => `${quote(name)}::text AS ${quote(name)}`).join(", ");
  const file = await WholeFile.begin(path);
  try {
    await file.write(csvRecord(names));
    for (let last = LOWEST; ;) {
      const rows = await session.all<Record<string, string | null>>(
        `SELECT ${list} FROM ${qualified(table)} t WHERE t.id > $1::bigint ORDER BY t.id LIMIT ${PAGE}`,
        [last],
      );
      for (const row of rows) await file.write(csvRecord(names.map((name) => row[name] ?? null)));
      if (rows.length < PAGE) break;
      last = rows.at(-1)!["id"]!;
    }
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}
