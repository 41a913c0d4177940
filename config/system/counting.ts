/** Rows now against rows of before: judged by who could have written in between. */

/**
 * `exact`: from the count until now nobody but backout could write. `at least`: others could, and more rows are their doing; fewer than were counted
 * just before is nobody's wish. `any`: users write, and that all rows are gone is no user's doing.
 */
export type Counting = "exact" | "at least" | "any";

/** Whether as many rows are there as may be. */
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

/** What a count is to be read with; empty where it is exact. */
export function countingInWords({ counting }: { counting: Counting }): string {
  switch (counting) {
    case "exact":
      return "";
    case "at least":
      return "; the data was not closed to others, so that there may be more";
    case "any":
      return "; the system is open, so that counts may differ";
  }
}
