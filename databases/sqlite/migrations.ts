/** Applies a migration to a file or rolls it back: one transaction with its record, so that the ledger always says what the schema has. */
import type { DatabaseSync } from "node:sqlite";
import {
  MigrationFailedError,
  MigrationUnfinishedError,
  MissingDownScriptError,
  UnknownMigrationError,
} from "../shared/migrations/errors.ts";
import {
  checksum,
  downScript,
  matchesChecksum,
  planScript,
  upScript,
  type Migration,
  type ScriptPlan,
} from "../shared/migrations/script.ts";
import { isApplied, migrationStates, ONE_TRANSACTION, type MigrationState } from "../shared/migrations/status.ts";
import { atomically } from "./database.ts";
import { orphansOf } from "./integrity.ts";
import { createLedger, finishRow, insertStarted, ledgerRows, logRow, markRows, type Ledger } from "./ledger.ts";

/** State of every known migration, oldest first, then of those only the ledger has. Touches nothing. */
export function appliedMigrations(db: DatabaseSync, ledger: Ledger, known: readonly Migration[] = []): MigrationState[] {
  const folders = new Map(known.map((migration) => [migration.name, migration]));
  return migrationStates(known, ledgerRows(db, ledger), (name, sum) => matchesChecksum(upScript(folders.get(name)!), sum));
}

function stateOf(db: DatabaseSync, ledger: Ledger, name: string): MigrationState {
  return migrationStates([{ name }], ledgerRows(db, ledger), () => true)[0]!;
}

/**
 * The row with its start is written first, by itself; the script and the row's finish share one transaction, so a kill leaves either a finished
 * migration or a started one of which nothing was kept. @returns false where it was already applied
 * @throws MigrationFailedError with statement and line, MigrationUnfinishedError, NotTransactionalError, MissingScriptError
 */
export function applyMigration(db: DatabaseSync, migration: Migration, ledger: Ledger): boolean {
  const script = upScript(migration);
  const plan = planScript(migration.name, script);
  createLedger(db, ledger);
  const state = stateOf(db, ledger, migration.name);
  if (isApplied(state)) return false;
  if (state.status === "failed" && !state.clean) throw new MigrationUnfinishedError([migration.name]);
  const id = atomically(db, () => {
    markRows(db, ledger, migration.name);
    return insertStarted(db, ledger, migration.name, checksum(script), ONE_TRANSACTION);
  });
  try {
    runScript(db, migration.name, "up", plan, () => finishRow(db, ledger, id));
  } catch (error) {
    logRow(db, ledger, id, `${ONE_TRANSACTION}\n${(error as Error).message}`);
    throw error;
  }
  return true;
}

/** Runs the down script and marks the migration rolled back, in one transaction. @returns false where nothing of it is there */
export function rollBackMigration(db: DatabaseSync, migration: Migration, ledger: Ledger): boolean {
  const state = stateOf(db, ledger, migration.name);
  if (state.status === "failed" && !state.clean) throw new MigrationUnfinishedError([migration.name]);
  if (!isApplied(state)) {
    if (state.status === "failed") markRows(db, ledger, migration.name);
    return false;
  }
  const script = downScript(migration);
  if (script === null) throw new MissingDownScriptError([migration.name]);
  runScript(db, migration.name, "down", planScript(migration.name, script), () => void markRows(db, ledger, migration.name));
  return true;
}

/** Marks a migration rolled back in the ledger alone. */
export function markRolledBack(db: DatabaseSync, name: string, ledger: Ledger): boolean {
  if (!ledgerRows(db, ledger).some((row) => row.name === name)) throw new UnknownMigrationError(name, "ledger");
  return markRows(db, ledger, name) > 0;
}

/** Foreign keys are not enforced meanwhile, so that tables can be made anew; what refers to nothing afterwards fails the script. */
function runScript(db: DatabaseSync, migration: string, direction: "up" | "down", plan: ScriptPlan, record: () => void): void {
  const place = { migration, direction, statements: plan.statements.length };
  let current: { statement: number | null; line: number | null } = { statement: null, line: null };
  try {
    atomically(db, () => {
      const before = orphansOf(db);
      for (const [index, { text, line }] of plan.statements.entries()) {
        current = { statement: index + 1, line };
        db.exec(text);
      }
      current = { statement: null, line: null };
      const orphaned = Object.entries(orphansOf(db)).filter(([table, rows]) => rows > (before[table] ?? 0));
      if (orphaned.length > 0)
        throw new Error(`rows that refer to nothing: ${orphaned.map(([table, rows]) => `${rows} in ${table}`).join(", ")}`);
      record();
    });
  } catch (error) {
    throw new MigrationFailedError({ ...place, ...current }, error);
  }
}
