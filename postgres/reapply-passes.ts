/**
 * How the rows of an export are put back, whatever the engine: inserts and updates parents first, then deletes children first; what fails is tried
 * again after the rest, until nothing more succeeds; what is left is reported. Rows without a key come after all others.
 */
import { createReadStream } from "node:fs";
import type { Difference, TextRow } from "./comparison.ts";
import { linesOf, parseJsonLine } from "./export-format.ts";

export type ConflictReason =
  /** The live row was written since, too. */
  | "changed on both sides"
  /** The row an update belongs to is not in the live database. */
  | "row gone"
  | "missing parent"
  /** Rows the export does not know refer to the row that should go; they would be deleted or changed with it. */
  | "still referenced"
  | "constraint violated"
  /** The older column's type cannot hold the value exactly. */
  | "value not held"
  /** The database, or a trigger of it, refused. */
  | "refused";

/** Thrown inside a savepoint and reported; it never leaves the reapply. */
export class Conflict extends Error {
  readonly reason: ConflictReason;
  constructor(reason: ConflictReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
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

export interface Passes {
  runId: string;
  /** Tables the live database can hold, parents before children. */
  order: readonly string[];
  /** Whether the rows of a table were exported as a multiset. */
  keyless: (table: string) => boolean;
  /** JSON Lines of the export. */
  files: readonly { table: string; path: string }[];
  /** More conflicts than this and nothing is put back. */
  conflictLimit: number;
  /** One row, whole or not at all. Whatever it throws puts nothing back. */
  attempt: (table: string, difference: Difference) => Promise<"done" | "already so" | Conflict>;
}

interface Waiting {
  table: string;
  difference: Difference;
  conflict: Conflict;
}

/** Inside the caller's transaction. @throws TooManyConflictsError */
export async function putBackInOrder(passes: Passes): Promise<{ tables: Record<string, ReapplyCounts>; conflicts: ReapplyConflict[] }> {
  const { runId, order, files, conflictLimit } = passes;
  const tables = Object.fromEntries(
    order.map((name): [string, ReapplyCounts] => [name, { inserted: 0, updated: 0, deleted: 0, alreadySo: 0, conflicts: 0 }]),
  );
  let waiting: Waiting[] = [];
  const attempt = async (table: string, difference: Difference): Promise<Waiting | null> => {
    const outcome = await passes.attempt(table, difference);
    if (outcome instanceof Conflict) return { table, difference, conflict: outcome };
    const { op } = difference;
    tables[table]![outcome === "already so" ? "alreadySo" : op === "insert" ? "inserted" : op === "update" ? "updated" : "deleted"]++;
    return null;
  };
  const pass = async (names: readonly string[], deletes: boolean): Promise<void> => {
    for (const name of names) {
      const file = files.find(({ table }) => table === name)!;
      for await (const line of linesOf(createReadStream(file.path))) {
        const difference = parseJsonLine(name, line);
        if ((difference.op === "delete") !== deletes) continue;
        const failed = await attempt(name, difference);
        if (failed !== null) waiting.push(failed);
        if (waiting.length > conflictLimit) throw new TooManyConflictsError(runId, waiting.map(reported), conflictLimit);
      }
    }
  };
  const [keyed, keyless] = [order.filter((name) => !passes.keyless(name)), order.filter(passes.keyless)];
  // Of rows without a key only the number is known: those that triggers write on behalf of other rows have to be there when they are counted.
  for (const names of [keyed, keyless]) {
    await pass(names, false);
    await pass(names.toReversed(), true);
    for (let before = Infinity; waiting.length > 0 && waiting.length < before;) {
      before = waiting.length;
      const again: Waiting[] = [];
      for (const { table, difference } of waiting) {
        const failed = await attempt(table, difference);
        if (failed !== null) again.push(failed);
      }
      waiting = again;
    }
  }
  const conflicts = waiting.map(reported);
  for (const { table } of conflicts) tables[table]!.conflicts++;
  return { tables, conflicts };
}

function reported({ table, difference, conflict }: Waiting): ReapplyConflict {
  const { op, key, row, before } = difference;
  return { table, op, key: (key ?? row ?? before)!, reason: conflict.reason, detail: conflict.message };
}

/** What the live schema has no place for stays in the export: rows by table, columns by table. */
export interface NotHeld {
  tables: Record<string, number>;
  columns: Record<string, string[]>;
}

export function notHeldOf(
  exported: Record<string, Pick<ReapplyCounts, "inserted" | "updated" | "deleted">>,
  without: readonly string[],
  targets: Iterable<{ name: string; notHeld: string[] }>,
): NotHeld {
  const rows = (name: string): number => exported[name]!.inserted + exported[name]!.updated + exported[name]!.deleted;
  const columns = [...targets].filter(({ notHeld }) => notHeld.length > 0).map(({ name, notHeld }) => [name, notHeld] as const);
  return { tables: Object.fromEntries(without.map((name) => [name, rows(name)])), columns: Object.fromEntries(columns) };
}

/** A cycle is cut at its first table by name: rows that then come too early are tried again after the others. */
export function parentsFirst(tables: readonly string[], keys: readonly { child: string; parent: string }[]): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (table: string) => {
    if (seen.has(table)) return;
    seen.add(table);
    const parents = keys.filter(({ child, parent }) => child === table && tables.includes(parent)).map(({ parent }) => parent);
    for (const parent of parents.sort()) visit(parent);
    order.push(table);
  };
  for (const table of [...tables].sort()) visit(table);
  return order;
}
