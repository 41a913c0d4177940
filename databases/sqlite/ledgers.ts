/** The ledgers of migrations in a file: those with a row for each attempt, and any other tool's by its descriptor. */
import type { DatabaseSync } from "node:sqlite";
import { quote } from "../shared/identifiers.ts";
import { ToolOnlyError } from "../shared/migrations/errors.ts";
import type { Ledger, LedgerRow } from "../shared/migrations/ledger.ts";
import type { LedgerDescriptor, Statement } from "../shared/migrations/ledgers/descriptor.ts";
import { DESCRIPTORS } from "../shared/migrations/ledgers/registry.ts";
import { rowsOf } from "../shared/migrations/ledgers/rows.ts";
import { checksum, matchesChecksum, type Migration } from "../shared/migrations/script.ts";
import { ONE_TRANSACTION } from "../shared/migrations/status.ts";
import { all, run } from "./database.ts";
import { detectLedger } from "./detect.ts";
import { createLedger, finishRow, insertStarted, ledgerRows, logRow, markRows, type AttemptsLedger } from "./ledger.ts";

export interface LedgerTable {
  /** In the order the migrations were started; none where there is no ledger yet. @param known migrations of the definition */
  rows(db: DatabaseSync, known: readonly Migration[]): LedgerRow[];
  create(db: DatabaseSync): void;
  /** Notes the start, before the script. @returns the row to finish; null where the ledger has no place for a start. */
  begin(db: DatabaseSync, migration: Migration, script: string): string | null;
  /** Notes the end, in the script's transaction. */
  finish(db: DatabaseSync, migration: Migration, script: string, row: string | null): void;
  /** Notes what the database said of a failure. */
  fail(db: DatabaseSync, row: string | null, logs: string): void;
  /** @returns how many rows stopped counting as applied or started. */
  markRolledBack(db: DatabaseSync, migration: Migration): number;
  /** Whether the script there is now is the one with the recorded checksum. */
  matches(script: string, recorded: string): boolean;
}

export function ledgerTable(ledger: Ledger): LedgerTable {
  return ledger === "prisma" || ledger === "backout" ? attempts(ledger) : described(DESCRIPTORS[ledger]);
}

function attempts(ledger: AttemptsLedger): LedgerTable {
  return {
    rows: (db) => ledgerRows(db, ledger),
    create: (db) => createLedger(db, ledger),
    begin: (db, { name }, script) => insertStarted(db, ledger, name, checksum(script), ONE_TRANSACTION),
    finish: (db, _migration, _script, row) => finishRow(db, ledger, row!),
    fail: (db, row, logs) => logRow(db, ledger, row!, logs),
    markRolledBack: (db, { name }) => markRows(db, ledger, name),
    matches: matchesChecksum,
  };
}

function described(descriptor: LedgerDescriptor): LedgerTable {
  const find = (db: DatabaseSync) => detectLedger(db).find(({ ledger }) => ledger === descriptor.name)?.table.name;
  const place = (db: DatabaseSync): string => quote(find(db) ?? descriptor.table);
  const writing = (migration: string) => {
    if (descriptor.writing === undefined) throw new ToolOnlyError([migration]);
    return descriptor.writing;
  };
  const execute = (db: DatabaseSync, { sql, values }: Statement): number => run(db, sql, values);
  return {
    rows: (db, known) => {
      const table = find(db);
      return table === undefined ? [] : rowsOf(descriptor, all(db, descriptor.read(quote(table))), known);
    },
    create: (db) => {
      if (find(db) !== undefined) return;
      for (const statement of writing("a migration").create(place(db), "sqlite")) execute(db, statement);
    },
    begin: () => null,
    finish: (db, migration, script) => {
      for (const statement of writing(migration.name).enter(place(db), migration, script)) execute(db, statement);
    },
    fail: () => undefined,
    markRolledBack: (db, migration) => execute(db, writing(migration.name).remove(place(db), migration)),
    matches: (script, recorded) => descriptor.writing?.matches?.(script, recorded) ?? true,
  };
}
