/** Writes one row that is put back, and tells what concerns the row from what ends the whole. */
import type { DatabaseSync } from "node:sqlite";
import { Conflict } from "../postgres/reapply-passes.ts";
import { run } from "./database.ts";

/** How many rows were written. What concerns the one row is a conflict; anything else (disk, memory, damage) ends the whole. */
export function write(db: DatabaseSync, text: string, values: readonly unknown[]): number {
  try {
    return run(db, text, values);
  } catch (error) {
    if (!db.isTransaction) throw new TransactionEndedError(error as Error);
    throw conflictOf(error as Error, text) ?? error;
  }
}

const [SQL_ERROR, TOO_BIG, CONSTRAINT, MISMATCH] = [1, 18, 19, 20];
const [FOREIGN_KEY, TRIGGER, DATA_TYPE] = [787, 1811, 3091];

export function isForeignKey(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === FOREIGN_KEY;
}

function conflictOf(error: Error, text: string): Conflict | null {
  const { errcode = 0, message } = error as Error & { errcode?: number };
  if (isForeignKey(error)) return new Conflict(text.startsWith("DELETE") ? "still referenced" : "missing parent", message);
  if (errcode === TRIGGER) return new Conflict("refused", message);
  if (errcode === DATA_TYPE) return new Conflict("value not held", message);
  switch (errcode & 0xff) {
    case CONSTRAINT:
      return new Conflict("constraint violated", message);
    case TOO_BIG:
    case MISMATCH:
      return new Conflict("value not held", message);
    // A foreign key to no table, a function that only the system itself has.
    case SQL_ERROR:
      return new Conflict("refused", message);
    default:
      return null;
  }
}

/** A trigger that rolls back, or a foreign key that waits for the commit and is broken by a trigger: no row can be told to be the cause. */
export class TransactionEndedError extends Error {
  constructor(cause: Error) {
    super(
      `nothing was put back: the live file's own rules ended the transaction (${cause.message}). Set backout:carry to "export", which keeps the rows as files`,
      { cause },
    );
    this.name = "TransactionEndedError";
  }
}
