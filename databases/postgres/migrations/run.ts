/** Applies a migration or rolls it back, so that at any moment the ledger says what the schema has. */
import type { Client } from "pg";
import { quote } from "../../shared/identifiers.ts";
import { atomically } from "../transaction.ts";
import {
  MigrationFailedError,
  MigrationUnfinishedError,
  MissingDownScriptError,
  UnknownMigrationError,
} from "../../shared/migrations/errors.ts";
import { withMigrationLock } from "./ledger.ts";
import { type Ledger } from "../../shared/migrations/ledger.ts";
import { ledgerTable } from "./ledgers.ts";
import { downScript, planScript, upScript, type Migration, type ScriptPlan } from "../../shared/migrations/script.ts";
import { headOf } from "../../shared/migrations/ledgers/rows.ts";
import { isApplied, migrationStates, ONE_TRANSACTION, type LedgerStates, type MigrationState } from "../../shared/migrations/status.ts";

export interface RunOptions {
  /** Role the script runs as, so that what it makes belongs to the database's owner. Default: the session's own role. */
  owner?: string;
}

export interface MigrationOutcome {
  name: string;
  /** True where the ledger already said so and nothing was done. */
  unchanged: boolean;
}

/**
 * Applies one migration. The row with its start is written first, by itself; the script and the row's finish share one transaction, so a
 * kill leaves either a finished migration or a started one of which nothing was kept, and the next call goes on from there. A script of one
 * statement that must be outside of a transaction (CREATE INDEX CONCURRENTLY) runs by itself. The session must not be in a transaction.
 * @throws MigrationFailedError with statement and line; the row keeps the database's words in `logs`.
 * @throws MigrationUnfinishedError when it was started elsewhere and never finished.
 * @throws NotTransactionalError @throws MissingScriptError @throws MigrationLockedError before anything is touched.
 */
export async function applyMigration(client: Client, migration: Migration, options: RunOptions = {}): Promise<MigrationOutcome> {
  const script = upScript(migration);
  const plan = planScript(migration.name, script);
  const ledger = ledgerTable(migration.ledger);
  return withMigrationLock(client, async () => {
    await ledger.create(client, options.owner);
    const state = await stateOf(client, migration);
    if (isApplied(state)) return { name: migration.name, unchanged: true };
    if (state.status === "failed" && !state.clean) throw new MigrationUnfinishedError([migration.name]);
    const row = await atomically(client, async () => {
      await ledger.markRolledBack(client, migration);
      return ledger.begin(client, migration, script, plan.transactional ? ONE_TRANSACTION : null);
    });
    try {
      await runScript(client, migration.name, "up", plan, options, () => ledger.finish(client, migration, script, row));
    } catch (error) {
      const logs = plan.transactional ? `${ONE_TRANSACTION}\n${(error as Error).message}` : (error as Error).message;
      // Without a connection the row stays as started, which says as much.
      await ledger.fail(client, row, logs).catch(() => undefined);
      throw error;
    }
    return { name: migration.name, unchanged: false };
  });
}

/**
 * Runs the down script and marks the migration rolled back, in one transaction. Where nothing of it is there (pending, rolled back, or
 * failed inside its transaction) only the record is corrected.
 * @throws MissingDownScriptError @throws MigrationUnfinishedError @throws NotTransactionalError before anything is touched.
 * @throws MigrationFailedError with statement and line; the migration then still counts as applied.
 */
export async function rollBackMigration(client: Client, migration: Migration, options: RunOptions = {}): Promise<MigrationOutcome> {
  const ledger = ledgerTable(migration.ledger);
  return withMigrationLock(client, async () => {
    const state = await stateOf(client, migration);
    if (state.status === "failed" && !state.clean) throw new MigrationUnfinishedError([migration.name]);
    if (!isApplied(state)) {
      if (state.status === "failed") await ledger.markRolledBack(client, migration);
      return { name: migration.name, unchanged: state.status !== "failed" };
    }
    const script = downScript(migration);
    if (script === null) throw new MissingDownScriptError([migration.name]);
    await runScript(client, migration.name, "down", planScript(migration.name, script), options, async () => {
      await ledger.markRolledBack(client, migration);
    });
    return { name: migration.name, unchanged: false };
  });
}

/**
 * Marks a migration rolled back in the ledger alone; the schema stays as it is. Works for one that was applied successfully, too.
 * @throws UnknownMigrationError when the ledger has no such migration.
 */
export async function markRolledBack(client: Client, migration: string | Migration): Promise<MigrationOutcome> {
  const one = typeof migration === "string" ? { name: migration, folder: "" } : migration;
  const ledger = ledgerTable(one.ledger);
  return withMigrationLock(client, async () => {
    if (!(await ledger.rows(client, [one])).some((row) => row.name === one.name)) throw new UnknownMigrationError(one.name, "ledger");
    return { name: one.name, unchanged: (await ledger.markRolledBack(client, one)) === 0 };
  });
}

/** State of every known migration and of those only the ledger has. Without a ledger they all are pending. */
export async function readLedger(client: Client, kept: Ledger | undefined, known: readonly Migration[]): Promise<LedgerStates> {
  const folders = new Map(known.map((migration) => [migration.name, migration]));
  const ledger = ledgerTable(kept);
  const rows = await ledger.rows(client, known);
  const same = (name: string, sum: string): boolean => {
    const migration = folders.get(name)!;
    return migration.byTool === true || ledger.matches(upScript(migration), sum);
  };
  return { states: migrationStates(known, rows, same), head: headOf(rows) };
}

async function stateOf(client: Client, migration: Migration): Promise<MigrationState> {
  return migrationStates([migration], await ledgerTable(migration.ledger).rows(client, [migration]), () => true)[0]!;
}

async function runScript(
  client: Client,
  migration: string,
  direction: "up" | "down",
  plan: ScriptPlan,
  { owner }: RunOptions,
  record: () => Promise<void>,
): Promise<void> {
  const place = { migration, direction, statements: plan.statements.length };
  let current: { statement: number | null; line: number | null } = { statement: null, line: null };
  const run = async () => {
    if (owner !== undefined) await client.query(`SET ROLE ${quote(owner)}`);
    for (const [index, { text, line }] of plan.statements.entries()) {
      current = { statement: index + 1, line };
      await client.query(text);
    }
    current = { statement: null, line: null };
    // Checked here, so that a failure is this script's and not the commit's.
    if (plan.transactional) await client.query("SET CONSTRAINTS ALL IMMEDIATE");
    await client.query("RESET SESSION AUTHORIZATION; RESET ROLE");
    await record();
  };
  try {
    await (plan.transactional ? atomically(client, run) : run());
  } catch (error) {
    const kept = plan.transactional ? undefined : "It ran outside of a transaction, so some of it may be there (an invalid index, for one)";
    throw new MigrationFailedError({ ...place, ...current, ...(kept !== undefined && { kept }) }, error);
  } finally {
    // Scripts that pg_dump wrote empty the search path for the whole session.
    await client.query(RESTORE_SESSION).catch(() => undefined);
  }
}

const RESTORE_SESSION = [
  "SESSION AUTHORIZATION",
  "ROLE",
  "search_path",
  '"TimeZone"',
  "DateStyle",
  "IntervalStyle",
  "extra_float_digits",
  "bytea_output",
  "row_security",
  "check_function_bodies",
  "default_tablespace",
]
  .map((setting) => `RESET ${setting}`)
  .join("; ");
