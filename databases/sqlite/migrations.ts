/** Applies a migration to a file or rolls it back: one transaction with its record, so that the ledger always says what the schema has. */
import type { DatabaseSync } from "node:sqlite";
import {
  MigrationFailedError,
  MigrationUnfinishedError,
  MissingDownScriptError,
  UnknownMigrationError,
} from "../shared/migrations/errors.ts";
import type { Ledger } from "../shared/migrations/ledger.ts";
import { headOf } from "../shared/migrations/ledgers/rows.ts";
import { downScript, planScript, upScript, type Migration, type ScriptPlan } from "../shared/migrations/script.ts";
import { isApplied, migrationStates, ONE_TRANSACTION, type LedgerStates, type MigrationState } from "../shared/migrations/status.ts";
import { atomically } from "./database.ts";
import { orphansOf } from "./integrity.ts";
import { ledgerTable, type LedgerTable } from "./ledgers.ts";

/** State of every known migration, oldest first, then of those only the ledger has. Touches nothing. */
export function appliedMigrations(db: DatabaseSync, ledger: Ledger, known: readonly Migration[] = []): MigrationState[] {
  return readLedger(db, ledger, known).states;
}

/** As `appliedMigrations`, with the ledger's head. */
export function readLedger(db: DatabaseSync, kept: Ledger, known: readonly Migration[]): LedgerStates {
  const folders = new Map(known.map((migration) => [migration.name, migration]));
  const ledger = ledgerTable(kept);
  const rows = ledger.rows(db, known);
  const same = (name: string, sum: string): boolean => {
    const migration = folders.get(name)!;
    return migration.byTool === true || ledger.matches(upScript(migration), sum);
  };
  return { states: migrationStates(known, rows, same), head: headOf(rows) };
}

function stateOf(db: DatabaseSync, ledger: LedgerTable, migration: Migration): MigrationState {
  return migrationStates([migration], ledger.rows(db, [migration]), () => true)[0]!;
}

/**
 * The row with its start is written first, by itself; the script and the row's finish share one transaction, so a kill leaves either a finished
 * migration or a started one of which nothing was kept. @returns false where it was already applied
 * @throws MigrationFailedError with statement and line, MigrationUnfinishedError, NotTransactionalError, MissingScriptError
 */
export function applyMigration(db: DatabaseSync, migration: Migration, kept: Ledger): boolean {
  const script = upScript(migration);
  const plan = planScript(migration.name, script);
  const ledger = ledgerTable(kept);
  ledger.create(db);
  const state = stateOf(db, ledger, migration);
  if (isApplied(state)) return false;
  if (state.status === "failed" && !state.clean) throw new MigrationUnfinishedError([migration.name]);
  const row = atomically(db, () => {
    ledger.markRolledBack(db, migration);
    return ledger.begin(db, migration, script);
  });
  try {
    runScript(db, migration.name, "up", plan, () => ledger.finish(db, migration, script, row));
  } catch (error) {
    ledger.fail(db, row, `${ONE_TRANSACTION}\n${(error as Error).message}`);
    throw error;
  }
  return true;
}

/** Runs the down script and marks the migration rolled back, in one transaction. @returns false where nothing of it is there */
export function rollBackMigration(db: DatabaseSync, migration: Migration, kept: Ledger): boolean {
  const ledger = ledgerTable(kept);
  const state = stateOf(db, ledger, migration);
  if (state.status === "failed" && !state.clean) throw new MigrationUnfinishedError([migration.name]);
  if (!isApplied(state)) {
    if (state.status === "failed") ledger.markRolledBack(db, migration);
    return false;
  }
  const script = downScript(migration);
  if (script === null) throw new MissingDownScriptError([migration.name]);
  runScript(db, migration.name, "down", planScript(migration.name, script), () => void ledger.markRolledBack(db, migration));
  return true;
}

/** Marks a migration rolled back in the ledger alone. */
export function markRolledBack(db: DatabaseSync, migration: string | Migration, kept: Ledger): boolean {
  const one = typeof migration === "string" ? { name: migration, folder: "" } : migration;
  const ledger = ledgerTable(kept);
  if (!ledger.rows(db, [one]).some(({ name }) => name === one.name)) throw new UnknownMigrationError(one.name, "ledger");
  return ledger.markRolledBack(db, one) > 0;
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
