/**
 * Writes what was decided, a statement a table. Rows that are updated are taken out and put in again under the same number: so values may change places
 * under a unique key, and, since no foreign key acts meanwhile, nothing else notices.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Refused } from "../shared/reapply/write.ts";
import { writeInBulk } from "../shared/reapply/bulk.ts";
import { LINE, OP, REASON } from "../shared/reapply/decide.ts";
import { Conflict } from "../shared/reapply/result.ts";
import { all, run } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import type { Staged } from "./reapply-stage.ts";

/** @returns rows that were refused; the decision has to be made again without them, since others may rest on them */
export async function writeAll(db: DatabaseSync, tables: readonly Staged[]): Promise<Refused[]> {
  for (const { live, staged, place } of tables) {
    const [there, here] = [place.map((one) => one.live).join(", "), place.map((one) => one.staged).join(", ")];
    run(db, `DELETE FROM ${live} WHERE (${there}) IN (SELECT ${here} FROM ${staged} WHERE ${REASON} IS NULL AND ${OP} <> 'insert')`);
  }
  const refused: Refused[] = [];
  for (const op of ["update", "insert"] as const)
    for (const table of tables) for (const one of await put(db, table, op)) refused.push({ table: table.name, ...one });
  return refused;
}

async function put(db: DatabaseSync, { staged, live, place, target }: Staged, op: "update" | "insert") {
  const numbered = op === "update" && target.rowNumber !== null;
  const columns = (op === "update" ? [...target.writable.keys()] : target.held).map(quote);
  const [into, from] = numbered
    ? [
        [quote(target.rowNumber!), ...columns],
        [place[0]!.staged, ...columns],
      ]
    : [columns, columns];
  const lines = all<{ line: number }>(db, `SELECT ${LINE} AS line FROM ${staged} WHERE ${REASON} IS NULL AND ${OP} = $1 ORDER BY 1`, [
    op,
  ]).map(({ line }) => line);
  // Rows in the way are never replaced, whatever the table says becomes of them.
  const text = `INSERT OR ABORT INTO ${live} (${into.join(", ")}) SELECT ${from.join(", ")} FROM ${staged}
                 WHERE ${REASON} IS NULL AND ${OP} = $3 AND ${LINE} BETWEEN $1 AND $2 ORDER BY ${LINE}`;
  return writeInBulk({
    lines,
    write: (first, last) => Promise.resolve(void run(db, text, [first, last, op])),
    conflictOf,
  });
}

const [SQL_ERROR, TOO_BIG, CONSTRAINT, MISMATCH] = [1, 18, 19, 20];
const DATA_TYPE = 3091;

/** What concerns the one row is a conflict; anything else (disk, memory, damage) ends the whole. */
function conflictOf(error: unknown): Conflict | null {
  const { errcode = 0, message } = error as Error & { errcode?: number };
  if (errcode === DATA_TYPE) return new Conflict("value not held", message);
  switch (errcode & 0xff) {
    case CONSTRAINT:
      return new Conflict("constraint violated", message);
    case TOO_BIG:
    case MISMATCH:
      return new Conflict("value not held", message);
    // A function that only the system itself has.
    case SQL_ERROR:
      return new Conflict("refused", message);
    default:
      return null;
  }
}
