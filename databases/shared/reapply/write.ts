/** What reapplying is on every engine: decide, write, decide again without the rows that were refused, and tell what became of each row. */
import { conflictPath, countsOf, writeConflicts, type Staging } from "./conflicts.ts";
import { decide, mark, type ReferenceKey, type Sql, type StagedTable } from "./decide.ts";
import type { Conflict, ReapplyCounts } from "./result.ts";

export interface Refused {
  table: string;
  line: number;
  conflict: Conflict;
}

interface Writing {
  sql: Sql;
  staged: readonly StagedTable[];
  references: readonly ReferenceKey[];
  /** Writes what is decided. @returns rows that the database refused */
  readonly writeAll: () => Promise<Refused[]>;
}

/** Rows may depend on rows that the database refuses: then everything is rolled back and decided again without them. Inside a transaction. */
export async function writeDecided({ sql, staged, references, writeAll }: Writing): Promise<void> {
  const tables = new Map(staged.map((table) => [table.name, table]));
  for (;;) {
    await decide({ sql, tables, references });
    await sql.run("SAVEPOINT written");
    const refused = await writeAll();
    if (refused.length > 0) await sql.run("ROLLBACK TO SAVEPOINT written");
    await sql.run("RELEASE SAVEPOINT written");
    if (refused.length === 0) return;
    for (const { table, line, conflict } of refused) await mark(sql, tables.get(table)!, [line], conflict.reason, conflict.message);
  }
}

/** What became of every staged row: counts by table, and a file of those in conflict; null where there are none. */
export async function outcomeOf(
  sql: Sql,
  staged: readonly Staging[],
  folder: string,
  runId: string,
): Promise<{ tables: Record<string, ReapplyCounts>; conflictFile: string | null }> {
  const tables: Record<string, ReapplyCounts> = {};
  for (const table of staged) tables[table.name] = await countsOf(sql, table);
  return { tables, conflictFile: await writeConflicts(sql, staged, conflictPath(folder, runId)) };
}
