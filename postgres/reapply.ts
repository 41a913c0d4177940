/** Puts rows of an export back into the live database where its older schema can hold them. */
import type { Client } from "pg";
import type { Difference } from "./comparison.ts";
import { canonicalTable } from "./identifiers.ts";
import { readManifest, verifyExport, type ExportedFile, type ExportedTable } from "./export.ts";
import {
  Conflict,
  notHeldOf,
  putBackInOrder,
  TooManyConflictsError,
  type ConflictReason,
  type NotHeld,
  type ReapplyConflict,
  type ReapplyCounts,
} from "./reapply-passes.ts";
import { reapplyRow } from "./reapply-row.ts";
import { advanceSequences, type SequenceMove } from "./reapply-sequences.ts";
import { assertGuarded, readLiveSchema, UnguardedReapplyError } from "./reapply-target.ts";

export {
  advanceSequences,
  TooManyConflictsError,
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
  /** Default: every exported table. */
  tables?: readonly string[];
  /** `report`: rows in conflict are left as they are in the live database and reported; the others are put back. */
  onConflict?: "report";
  /** More conflicts than this and nothing is put back. Default 10,000. */
  conflictLimit?: number;
  /** Does everything and takes it back: counts and conflicts without a change. Sequences are left alone. */
  dryRun?: boolean;
  /** Runs when everything is done and nothing is kept yet. */
  beforeCommit?: () => Promise<void>;
}

export interface ReapplyResult {
  tables: Record<string, ReapplyCounts>;
  conflicts: ReapplyConflict[];
  notHeld: NotHeld;
  sequences: SequenceMove[];
}

/**
 * Inserts and updates parents first, then deletes children first, each row under a savepoint, all in one transaction with every trigger and
 * foreign key at work. What fails is tried again after the rest, until nothing more succeeds; what is left is reported. A second run finds
 * the rows "already so".
 * @throws UnguardedReapplyError when foreign keys are not checked. @throws ExportDamagedError when the export is not whole.
 * @throws TooManyConflictsError. Any other error, a lost connection for one, puts nothing back.
 */
export async function reapply(options: ReapplyOptions): Promise<ReapplyResult> {
  const { live, folder, runId } = options;
  const files = (await verifyExport(folder, runId)).filter(({ kind }) => kind === "jsonl");
  const exported = chosen((await readManifest(folder, runId))!.tables, files, options.tables);
  await assertGuarded(live);
  await live.query("BEGIN");
  try {
    // A constraint that waits for the commit could no longer be told apart by row.
    await live.query("SET CONSTRAINTS ALL IMMEDIATE");
    const schema = await readLiveSchema(live, exported);
    const put = await putBackInOrder({
      runId,
      order: schema.order,
      keyless: (table) => exported[table]!.key.length === 0,
      files,
      conflictLimit: options.conflictLimit ?? 10_000,
      attempt: (table, difference) => underSavepoint(live, difference.op, () => reapplyRow(live, schema.targets.get(table)!, difference)),
    });
    const sequences = options.dryRun === true ? [] : await advanceSequences(live, schema.order);
    await options.beforeCommit?.();
    await live.query(options.dryRun === true ? "ROLLBACK" : "COMMIT");
    return { ...put, notHeld: notHeldOf(exported, schema.without, schema.targets.values()), sequences };
  } catch (error) {
    await live.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

function chosen(tables: Record<string, ExportedTable>, files: ExportedFile[], wanted?: readonly string[]): Record<string, ExportedTable> {
  const names = new Set(wanted?.map(canonicalTable) ?? Object.keys(tables));
  return Object.fromEntries(Object.entries(tables).filter(([name]) => names.has(name) && files.some(({ table }) => table === name)));
}

async function underSavepoint<T>(live: Client, op: Difference["op"], work: () => Promise<T>): Promise<T | Conflict> {
  await live.query("SAVEPOINT row");
  try {
    const result = await work();
    await live.query("RELEASE SAVEPOINT row");
    return result;
  } catch (error) {
    const conflict = error instanceof Conflict ? error : conflictOf(error, op);
    if (conflict === null) throw error;
    await live.query("ROLLBACK TO SAVEPOINT row; RELEASE SAVEPOINT row");
    return conflict;
  }
}

/** What concerns the one row is a conflict; anything else (connection, disk, deadlock, privileges) ends the whole. */
function conflictOf(error: unknown, op: Difference["op"]): Conflict | null {
  const {
    code = "",
    message = "",
    detail,
    constraint,
  } = error as { code?: string; message?: string; detail?: string; constraint?: string };
  const text = [message, detail].filter(Boolean).join(": ");
  if (code === "23503") return new Conflict(op === "delete" ? "still referenced" : "missing parent", text);
  if (code.startsWith("23")) return new Conflict("constraint violated", constraint === undefined ? text : `${constraint}: ${text}`);
  if (code.startsWith("22")) return new Conflict("value not held", text);
  if (code === "P0001" || code === "428C9" || code.startsWith("44") || code.startsWith("09")) return new Conflict("refused", text);
  return null;
}
