/** Puts rows of an export back into the live database where its older schema can hold them. */
import { createReadStream } from "node:fs";
import type { Client } from "pg";
import type { Difference, TextRow } from "./comparison.ts";
import { readManifest, verifyExport, type ExportedFile, type ExportedTable } from "./export.ts";
import { linesOf, parseJsonLine } from "./export-format.ts";
import { Conflict, reapplyRow, type ConflictReason } from "./reapply-row.ts";
import { advanceSequences, type SequenceMove } from "./reapply-sequences.ts";
import { assertGuarded, readLiveSchema, UnguardedReapplyError, type LiveSchema, type Target } from "./reapply-target.ts";

export { advanceSequences, UnguardedReapplyError, type ConflictReason, type SequenceMove };

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
}

export interface ReapplyConflict {
  table: string;
  op: Difference["op"];
  /** Columns of the key; the whole row where the table has none. */
  key: TextRow;
  reason: ConflictReason;
  detail: string;
}

export interface ReapplyCounts {
  inserted: number;
  updated: number;
  deleted: number;
  /** Differences the live database already had. */
  alreadySo: number;
  conflicts: number;
}

export interface ReapplyResult {
  tables: Record<string, ReapplyCounts>;
  conflicts: ReapplyConflict[];
  /** What the live schema has no place for: it stays in the export. Rows by table, columns by table. */
  notHeld: { tables: Record<string, number>; columns: Record<string, string[]> };
  sequences: SequenceMove[];
}

/** So many rows in conflict mean that this is not the database the rows belong to. */
export class TooManyConflictsError extends Error {
  readonly conflicts: ReapplyConflict[];
  constructor(runId: string, conflicts: ReapplyConflict[], limit: number) {
    const first = conflicts[0];
    super(
      `reapply of ${runId}: more than ${limit} rows in conflict, nothing was put back` +
        (first ? `; the first is ${first.op} of ${JSON.stringify(first.key)} in ${first.table}: ${first.detail}` : "") +
        `. Check that the export belongs to this database, or raise the limit`,
    );
    this.name = "TooManyConflictsError";
    this.conflicts = conflicts;
  }
}

interface Waiting {
  target: Target;
  difference: Difference;
  conflict: Conflict;
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
    const result = await putBack(options, schema, files);
    result.notHeld = notHeld(schema, exported);
    if (options.dryRun !== true) result.sequences = await advanceSequences(live, schema.order);
    await live.query(options.dryRun === true ? "ROLLBACK" : "COMMIT");
    return result;
  } catch (error) {
    await live.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

function chosen(tables: Record<string, ExportedTable>, files: ExportedFile[], wanted?: readonly string[]): Record<string, ExportedTable> {
  const names = new Set(wanted?.map((table) => table.replace(/^public\./, "")) ?? Object.keys(tables));
  return Object.fromEntries(Object.entries(tables).filter(([name]) => names.has(name) && files.some(({ table }) => table === name)));
}

function notHeld(schema: LiveSchema, exported: Record<string, ExportedTable>): ReapplyResult["notHeld"] {
  const rows = (name: string) => exported[name]!.inserted + exported[name]!.updated + exported[name]!.deleted;
  const columns = [...schema.targets.values()]
    .filter((target) => target.notHeld.length > 0)
    .map((target) => [target.name, target.notHeld] as const);
  return { tables: Object.fromEntries(schema.without.map((name) => [name, rows(name)])), columns: Object.fromEntries(columns) };
}

async function putBack(options: ReapplyOptions, schema: LiveSchema, files: ExportedFile[]): Promise<ReapplyResult> {
  const { live, runId, conflictLimit = 10_000 } = options;
  const counts = (): ReapplyCounts => ({ inserted: 0, updated: 0, deleted: 0, alreadySo: 0, conflicts: 0 });
  const result: ReapplyResult = {
    tables: Object.fromEntries(schema.order.map((name) => [name, counts()])),
    conflicts: [],
    notHeld: { tables: {}, columns: {} },
    sequences: [],
  };
  let waiting: Waiting[] = [];
  const attempt = async (target: Target, difference: Difference): Promise<Waiting | null> => {
    const outcome = await underSavepoint(live, difference.op, () => reapplyRow(live, target, difference));
    if (outcome instanceof Conflict) return { target, difference, conflict: outcome };
    const count = result.tables[target.name]!;
    count[
      outcome === "already so" ? "alreadySo" : difference.op === "insert" ? "inserted" : difference.op === "update" ? "updated" : "deleted"
    ]++;
    return null;
  };
  for (const { name, deletes } of [
    ...schema.order.map((name) => ({ name, deletes: false })),
    ...schema.order.toReversed().map((name) => ({ name, deletes: true })),
  ]) {
    const file = files.find(({ table }) => table === name)!;
    for await (const line of linesOf(createReadStream(file.path))) {
      const difference = parseJsonLine(name, line);
      if ((difference.op === "delete") !== deletes) continue;
      const failed = await attempt(schema.targets.get(name)!, difference);
      if (failed !== null) waiting.push(failed);
      if (waiting.length > conflictLimit) throw new TooManyConflictsError(runId, waiting.map(reported), conflictLimit);
    }
  }
  for (let before = Infinity; waiting.length > 0 && waiting.length < before;) {
    before = waiting.length;
    const again: Waiting[] = [];
    for (const { target, difference } of waiting) {
      const failed = await attempt(target, difference);
      if (failed !== null) again.push(failed);
    }
    waiting = again;
  }
  result.conflicts = waiting.map(reported);
  for (const { table } of result.conflicts) result.tables[table]!.conflicts++;
  return result;
}

function reported({ target, difference, conflict }: Waiting): ReapplyConflict {
  const { op, key, row, before } = difference;
  return { table: target.name, op, key: (key ?? row ?? before)!, reason: conflict.reason, detail: conflict.message };
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
