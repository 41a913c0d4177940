/** From the rows of any tool's ledger to those that migrations are judged by, under the names of the definition. Pure. */
import type { LedgerRow } from "../ledger.ts";
import type { Migration } from "../script.ts";
import type { LedgerDescriptor, LedgerEntry } from "./descriptor.ts";

/** Most ledgers keep no times, or none that matters: the order of the rows is what counts. */
const EPOCH = new Date(0);

/** @param raw rows as `descriptor.read` selects them, in the order in which they were entered */
export function rowsOf(
  descriptor: LedgerDescriptor,
  raw: readonly Readonly<Record<string, unknown>>[],
  known: readonly Migration[],
): LedgerRow[] {
  const names = new Map(known.map((migration) => [versionOf(descriptor, migration), migration.name]));
  const rows = new Map<string, LedgerRow>();
  const enter = (name: string, entry: LedgerEntry): void => {
    // The newest row of a migration says how it is now, and stands where it was entered.
    rows.delete(name);
    rows.set(name, rowOf(name, entry));
  };
  for (const entry of raw.map((row) => descriptor.entry(row, known))) {
    const name = names.get(entry.version);
    if (name === undefined && known.length > 0 && descriptor.concerns?.(entry.label, known) === false) continue;
    for (const covered of entry.covers ?? [])
      if (!rows.has(covered)) enter(covered, { version: covered, label: covered, checksum: "", state: "applied" });
    enter(name ?? entry.label, entry);
  }
  return [...rows.values()];
}

export function versionOf(descriptor: LedgerDescriptor, { name, version }: Pick<Migration, "name" | "version">): string {
  return version ?? descriptor.versionOf(name);
}

function rowOf(name: string, { version, checksum, state }: LedgerEntry): LedgerRow {
  return {
    id: version,
    name,
    checksum,
    logs: null,
    startedAt: EPOCH,
    finishedAt: state === "unfinished" ? null : EPOCH,
    rolledBackAt: state === "undone" ? EPOCH : null,
    appliedSteps: state === "applied" ? 1 : 0,
  };
}

/** The newest applied migration by the order of the ledger; null: none is. */
export function headOf(rows: readonly LedgerRow[]): string | null {
  return rows.findLast(({ finishedAt, rolledBackAt }) => finishedAt !== null && rolledBackAt === null)?.name ?? null;
}
