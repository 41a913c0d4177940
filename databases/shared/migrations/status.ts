/** What the ledger's rows say about each migration. */
import type { LedgerRow } from "./ledger.ts";

/** What a migration's script did on its first start if backout ran it: everything or, until it is finished, nothing. */
export const ONE_TRANSACTION = "backout: one transaction";

export type MigrationStatus =
  | "pending"
  | "applied"
  /** Applied from a script that differs from the one there is now. It counts as applied. */
  | "modified"
  /** Started, not finished, not rolled back. */
  | "failed"
  /** Every attempt is marked rolled back; it can be applied again. */
  | "rolled back"
  /** Applied, but not in the system's definition. */
  | "unknown";

export interface MigrationState {
  name: string;
  status: MigrationStatus;
  /** For `failed`: true where it ran in one transaction, so nothing of it is there and it can simply be applied again. */
  clean: boolean;
}

/** What a ledger says. */
export interface LedgerStates {
  states: MigrationState[];
  /** The newest applied migration by the order of the ledger; null: none is. */
  head: string | null;
}

/**
 * State of every known migration, oldest first, then of those only the ledger has, in the order they were started.
 * @param matches whether the script there is now is the one with the recorded checksum.
 */
export function migrationStates(
  known: readonly { name: string }[],
  rows: readonly LedgerRow[],
  matches: (name: string, checksum: string) => boolean,
): MigrationState[] {
  const names = new Set(known.map(({ name }) => name));
  const byName = Map.groupBy(rows, (row) => row.name);
  const others = [...byName.keys()].filter((name) => !names.has(name));
  return [...names, ...others].map((name) => stateOf(name, names.has(name), byName.get(name) ?? [], matches));
}

function stateOf(name: string, known: boolean, rows: LedgerRow[], matches: (name: string, checksum: string) => boolean): MigrationState {
  const standing = rows.filter((row) => row.rolledBackAt === null);
  const unfinished = standing.find((row) => row.finishedAt === null);
  const finished = standing.find((row) => row.finishedAt !== null);
  const status = ((): MigrationStatus => {
    if (rows.length === 0) return "pending";
    if (unfinished !== undefined) return "failed";
    if (finished === undefined) return "rolled back";
    if (!known) return "unknown";
    return matches(name, finished.checksum) ? "applied" : "modified";
  })();
  const clean = status === "failed" && finished === undefined && standing.every(({ logs }) => logs?.startsWith(ONE_TRANSACTION));
  return {
    name,
    status,
    clean,
  };
}

/** Whether the schema has what the migration brings. */
export function isApplied({ status }: Pick<MigrationState, "status">): boolean {
  return status === "applied" || status === "modified" || status === "unknown";
}
