/** Puts rows of an export back into the live database where its older schema can hold them. */
import { createReadStream } from "node:fs";
import type { Client } from "pg";
import { readManifest, verifyExport, type ExportManifest } from "./export.ts";
import type { ExportedFile } from "../shared/export-file.ts";
import { linesOf, parseJsonLine } from "../shared/export-format.ts";
import { LARGE_OBJECTS } from "../shared/not-compared.ts";
import { classify } from "./reapply-classify.ts";
import { type Sql } from "../shared/reapply/decide.ts";
import { NotRestoredError, quietly, UnguardedReapplyError } from "./reapply-quiet.ts";
import { dropIndexes, indexReferences } from "./reapply-references.ts";
import {
  notHeldOf,
  withRows,
  type ConflictReason,
  type NotHeld,
  type ReapplyConflict,
  type ReapplyCounts,
} from "../shared/reapply/result.ts";
import { advanceSequences, resumeSequences, type SequenceMove } from "./reapply-sequences.ts";
import { stage, type Staged } from "./reapply-stage.ts";
import { readLiveSchema } from "./reapply-target.ts";
import { writeAll } from "./reapply-write.ts";
import { outcomeOf, writeDecided } from "../shared/reapply/write.ts";

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
 * Afterwards the live data holds what was exported: rows are written a statement a table, in one transaction, with users' triggers switched off (what they
 * did is in the export) and every foreign key checked. What clashes with the live data is left out and reported. A second run finds the rows
 * unchanged.
 * @throws ExportDamagedError when the export is not whole. @throws UnguardedReapplyError, NotRestoredError. Any error puts nothing back.
 */
export async function reapply(options: ReapplyOptions): Promise<ReapplyResult> {
  const { live, folder, runId } = options;
  const sql = sqlOf(live);
  const files = (await verifyExport(folder, runId)).filter(({ kind }) => kind === "jsonl");
  const manifest = (await readManifest(folder, runId))!;
  const rows = withRows(manifest.tables, files);
  await live.query("BEGIN");
  try {
    const { targets, order, references, without } = await readLiveSchema(live, rows.exported);
    const objects = await objectsSince(manifest, files);
    let indexes: string[] = [];
    const staged = await quietly(live, { targets: [...targets.values()], references }, async () => {
      const tables: Staged[] = [];
      for (const [number, name] of order.entries())
        tables.push(await stage(live, targets.get(name)!, files.find(({ table }) => table === name)!.path, number));
      await joinAtOnce(live, tables);
      for (const one of tables) await classify(live, one, objects);
      indexes = await indexReferences(live, tables, references);
      await writeDecided({ sql, staged: tables, references, writeAll: () => writeAll({ live, tables, references }) });
      return tables;
    });
    await dropIndexes(live, indexes);
    const { tables, conflictFile } = await outcomeOf(sql, staged, folder, runId);
    const resumed = await resumeSequences(live, manifest.sequences ?? {});
    const sequences = latest([...resumed, ...(await advanceSequences(live, order))]);
    await options.beforeCommit?.();
    await live.query("COMMIT");
    return { tables, conflictFile, notHeld: notHeldOf(rows, without, targets.values()), sequences };
  } catch (error) {
    await live.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Numbers of the large objects that the live database lacks; null where the export does not tell. */
async function objectsSince({ notCompared }: ExportManifest, files: readonly ExportedFile[]): Promise<Set<string> | null> {
  if (notCompared === undefined || notCompared.some(({ kind }) => kind === "large objects")) return null;
  const file = files.find(({ table }) => table === LARGE_OBJECTS);
  const numbers = new Set<string>();
  if (file === undefined) return numbers;
  for await (const line of linesOf(createReadStream(file.path))) {
    const { op, key } = parseJsonLine(LARGE_OBJECTS, line);
    if (op === "insert") numbers.add(key!["loid"]!);
  }
  return numbers;
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

function sqlOf(live: Client): Sql {
  return {
    run: async (text, values = []) => (await live.query(text, [...values])).rowCount ?? 0,
    all: async <Row>(text: string, values: readonly unknown[] = []) => (await live.query(text, [...values])).rows as Row[],
    textOf: (values) => `ROW(${values.join(", ")})::text`,
    among: (line, parameter) => `${line} IN (SELECT x::int8 FROM json_array_elements_text(${parameter}::json) x)`,
    index: () => Promise.resolve(),
  };
}
