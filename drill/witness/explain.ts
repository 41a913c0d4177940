/**
 * One history for all databases together: of all possible ones the one that accuses least, that is, with the fewest rows that contradict it
 * or that no database covers; of equal ones the one in which each database covers most. What is accused even so, is a finding.
 */
import { neverRestored, onceRestored, type Candidate, type Content, type Fit, type Pause, type Rows } from "./fit.ts";

export interface Database {
  content: Content;
  /** In service when the witness stopped. */
  inService: boolean;
}

/** Rows with an acknowledged write from a time that none of the databases covers; `elsewhere`: rows an export may hold. */
function uncoveredRows(rows: Rows, fits: readonly Fit[], elsewhere: ReadonlySet<string>): number {
  let uncovered = 0;
  for (const [id, versions] of rows) {
    if (elsewhere.has(id)) continue;
    const open = versions.some(
      ({ ackAt }) => ackAt !== null && !fits.some((fit) => ackAt <= fit.base || (ackAt > fit.from && ackAt <= fit.to)),
    );
    if (open) uncovered += 1;
  }
  return uncovered;
}

export function explain(rows: Rows, databases: readonly Database[], pauses: readonly Pause[], elsewhere: ReadonlySet<string>): Candidate[] {
  const chosen = databases.map(({ content, inService }) => neverRestored(rows, content, inService));
  const cost = (candidates: readonly Candidate[]): number =>
    candidates.reduce(
      (sum, { contradictions }) => sum + contradictions,
      uncoveredRows(
        rows,
        candidates.map(({ fit }) => fit),
        elsewhere,
      ),
    );
  const alone = ({ fit }: Candidate): number => uncoveredRows(rows, [fit], elsewhere);
  let least = cost(chosen);
  const improve = (index: number, candidates: readonly Candidate[]): boolean => {
    let better = false;
    for (const candidate of candidates) {
      // What contradicts more than everything together so far cannot be better.
      if (candidate.contradictions > least) continue;
      const attempt = cost(chosen.with(index, candidate));
      const current = chosen[index];
      if (attempt > least || (attempt === least && current !== undefined && alone(candidate) >= alone(current))) continue;
      [chosen[index], least, better] = [candidate, attempt, true];
    }
    return better;
  };
  const others: Candidate[][] = [];
  const restoredOnce = (index: number): Candidate[] => {
    const database = databases[index];
    return (others[index] ??= database === undefined ? [] : onceRestored(rows, database.content, database.inService, pauses));
  };
  // The database in service first: one restore explains most drills, and the many histories of a quarantine need not be tried then.
  const order = databases.map((_, index) => index).sort((a, b) => Number(databases[b]?.inService) - Number(databases[a]?.inService));
  // One database alone often has several equally good histories of which only one fits the other databases: hence pairs.
  const improvePair = (one: number, two: number): boolean => {
    let better = false;
    for (const first of restoredOnce(one))
      for (const second of restoredOnce(two)) {
        if (first.contradictions + second.contradictions >= least) continue;
        const candidates = chosen.with(one, first).with(two, second);
        const attempt = cost(candidates);
        if (attempt >= least) continue;
        [chosen[one], chosen[two], least, better] = [first, second, attempt, true];
      }
    return better;
  };
  for (let better = true; better;) {
    better = false;
    for (const index of order) if (least > 0) better = improve(index, restoredOnce(index)) || better;
    for (const one of order) for (const two of order) if (one < two && least > 0) better = improvePair(one, two) || better;
  }
  return chosen;
}
