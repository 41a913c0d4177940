/** Many rows by one statement; where rows are refused, they are found by halving. */
import type { Conflict } from "./result.ts";

export interface Bulk {
  /** Lines to write, in order. */
  lines: readonly number[];
  /** Writes all lines from the first to the last, whole or not at all. */
  write: (first: number, last: number, count: number) => Promise<void>;
  /** What concerns a row is a conflict; null: it ends the whole. */
  conflictOf: (error: unknown) => Conflict | null;
}

/** @returns rows that were refused, and why; the others are written */
export async function writeInBulk({ lines, write, conflictOf }: Bulk): Promise<{ line: number; conflict: Conflict }[]> {
  const [first, last] = [lines[0], lines.at(-1)];
  if (first === undefined || last === undefined) return [];
  try {
    await write(first, last, lines.length);
    return [];
  } catch (error) {
    const conflict = conflictOf(error);
    if (conflict === null) throw error;
    if (lines.length === 1) return [{ line: first, conflict }];
    const middle = Math.floor(lines.length / 2);
    const half = (part: readonly number[]) => writeInBulk({ lines: part, write, conflictOf });
    return [...(await half(lines.slice(0, middle))), ...(await half(lines.slice(middle)))];
  }
}
