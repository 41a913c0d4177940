/** Puts rows of an export back into the live database where its older schema can hold them. */
import type { Client } from "pg";
import { readManifest, verifyExport, type ExportedTable } from "./export.ts";
import type { ExportedFile } from "../shared/export-file.ts";
import { classify } from "./reapply-classify.ts";
import { conflictPath, countsOf, writeConflicts } from "../shared/reapply/conflicts.ts";
import { decide, mark, type Sql } from "../shared/reapply/decide.ts";
import { NotRestoredError, quietly, UnguardedReapplyError } from "./reapply-quiet.ts";
import { dropIndexes, indexReferences } from "./reapply-references.ts";
import { notHeldOf, type ConflictReason, type NotHeld, type ReapplyConflict, type ReapplyCounts } from "../shared/reapply/result.ts";
import { advanceSequences, resumeSequences, type SequenceMove } from "./reapply-sequences.ts";
import { stage, type Staged } from "./reapply-stage.ts";
import { readLiveSchema, type LiveReference } from "./reapply-target.ts";
import { writeAll } from "./reapply-write.ts";

export {
  advanceSequences,
  NotRestoredError,
  UnguardedReapplyError,
  type ConflictReason,
  type ReapplyConflict,
  type ReapplyCounts,
  type SequenceMove,
};

export interface ReapplyOptions {
  /** Session in the live database, not in a transaction. */
  live: Client;
  /** Where the export of `runId` is. */
  folder: string;
  runId: string;
  /** Runs when everything is done and nothing is kept yet. */
  beforeCommit?: () => Promise<void>;
}

export interface ReapplyResult {
  tables: Record<string, ReapplyCounts>;
  /** JSON Lines beside the export, a `ReapplyConflict` each: rows that are left as they are in the live database. Null: none. */
  conflictFile: string | null;
  notHeld: NotHeld;
  sequences: SequenceMove[];
}

/**
 * What was exported is what is there afterwards: rows are written a statement a table, in one transaction, with users' triggers switched off (what they
 * did is in the export) and every foreign key checked. What clashes with the live data is left out and reported. A second run finds the rows
 * "already so".
 * @throws ExportDamagedError when the export is not whole. @throws UnguardedReapplyError, NotRestoredError. Any error puts nothing back.
 */
export async function reapply(options: ReapplyOptions): Promise<ReapplyResult> {
  const { live, folder, runId } = options;
  const files = (await verifyExport(folder, runId)).filter(({ kind }) => kind === "jsonl");
  const manifest = (await readManifest(folder, runId))!;
  const exported = withRows(manifest.tables, files);
  await live.query("BEGIN");
  try {
    const { targets, order, references, without } = await readLiveSchema(live, exported);
    let indexes: string[] = [];
    const tables = await quietly(live, { targets: [...targets.values()], references }, async () => {
      const staged: Staged[] = [];
      for (const [number, name] of order.entries())
        staged.push(await stage(live, targets.get(name)!, files.find(({ table }) => table === name)!.path, number));
      await joinAtOnce(live, staged);
      for (const one of staged) await classify(live, one);
      indexes = await indexReferences(live, staged, references);
      await write(live, staged, references);
      return staged;
    });
    await dropIndexes(live, indexes);
    const sql = sqlOf(live);
    const counts: Record<string, ReapplyCounts> = {};
    for (const table of tables) counts[table.name] = await countsOf(sql, table);
    const conflictFile = await writeConflicts(sql, tables, conflictPath(folder, runId));
    const resumed = await resumeSequences(live, manifest.sequences ?? {});
    const sequences = latest([...resumed, ...(await advanceSequences(live, order))]);
    await options.beforeCommit?.();
    await live.query("COMMIT");
    return { tables: counts, conflictFile, notHeld: notHeldOf(exported, without, targets.values()), sequences };
  } catch (error) {
    await live.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** One move a sequence, by name. */
function latest(moves: readonly SequenceMove[]): SequenceMove[] {
  const values = new Map(moves.map(({ sequence, value }) => [sequence, value]));
  return [...values].map(([sequence, value]) => ({ sequence, value })).sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
}

/** So many rows are looked up one by one sooner than everything is read once. */
const LOOKED_UP_ROWS = 1_000;

/** The server cannot know how many staged rows are left, and takes them for few: row by row, two large tables would never come to an end. */
async function joinAtOnce(live: Client, staged: readonly Staged[]): Promise<void> {
  if (staged.some(({ lines }) => lines > LOOKED_UP_ROWS)) await live.query("SET LOCAL enable_nestloop = off");
}

/** Rows that are refused when they are written may be what others rest on: then all is taken back and decided again without them. */
async function write(live: Client, staged: readonly Staged[], references: readonly LiveReference[]): Promise<void> {
  const sql = sqlOf(live);
  const tables = new Map(staged.map((table) => [table.name, table]));
  for (;;) {
    await decide({ sql, tables, references });
    await live.query("SAVEPOINT written");
    const refused = await writeAll({ live, tables: staged, references });
    if (refused.length === 0) return;
    await live.query("ROLLBACK TO SAVEPOINT written; RELEASE SAVEPOINT written");
    for (const { table, line, conflict } of refused) await mark(sql, tables.get(table)!, [line], conflict.reason, conflict.message);
  }
}

function sqlOf(live: Client): Sql {
  return {
    run: async (text, values = []) => (await live.query(text, [...values])).rowCount ?? 0,
    all: async <Row>(text: string, values: readonly unknown[] = []) => (await live.query(text, [...values])).rows as Row[],
    textOf: (values) => `ROW(${values.join(", ")})::text`,
    among: (line, parameter) => `${line} IN (SELECT x::int8 FROM json_array_elements_text(${parameter}::json) x)`,
    index: () => Promise.resolve(),
  };
}

function withRows(tables: Record<string, ExportedTable>, files: ExportedFile[]): Record<string, ExportedTable> {
  return Object.fromEntries(Object.entries(tables).filter(([name]) => files.some(({ table }) => table === name)));
}
