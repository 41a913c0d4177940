/** Compares row counts with earlier ones, depending on who could have written in between. */

/**
 * `exact`: from the count until now nobody but backout could write. `at least`: others could, and more rows are their doing; fewer than
 * were counted just before is nobody's wish. `any`: users write, and that all rows are gone is no user's doing.
 */
export type Counting = "exact" | "at least" | "any";

/** Whether the number of rows is allowed. */
export function countIsRight({ counting }: { counting: Counting }, now: number, before: number): boolean {
  switch (counting) {
    case "exact":
      return now === before;
    case "at least":
      return now >= before;
    case "any":
      return now > 0 || before === 0;
  }
}

/** A remark on the count; empty if it is exact. */
export function countingInWords({ counting }: { counting: Counting }): string {
  switch (counting) {
    case "exact":
      return "";
    case "at least":
      return "; the data was not closed to others, so more rows are allowed";
    case "any":
      return "; the system is open, so that counts may differ";
  }
}
