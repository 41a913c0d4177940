/** The ledgers of migrations backout can read and mark, by the tool that writes them. */
import type { Client } from "pg";
import { describedLedger } from "./described-ledger.ts";
import { BACKOUT_TABLE, createLedger, finishRow, insertStarted, ledgerRows, logRow, markRows, PRISMA_TABLE } from "./ledger.ts";
import { type Ledger, type LedgerRow } from "../../shared/migrations/ledger.ts";
import { DESCRIPTORS } from "../../shared/migrations/ledgers/registry.ts";
import { checksum, matchesChecksum, type Migration } from "../../shared/migrations/script.ts";
import {
  createSupabaseLedger,
  insertSupabaseRow,
  removeSupabaseRow,
  statementsChecksum,
  statementsOf,
  supabaseRows,
} from "./supabase-ledger.ts";

export interface LedgerTable {
  /** Rows in the order the migrations were started; none where there is no ledger yet. @param known migrations of the definition */
  rows(client: Client, known: readonly Migration[]): Promise<LedgerRow[]>;
  create(client: Client, owner?: string): Promise<void>;
  /** Notes the start, before the script. @returns the row to finish; null where the ledger has no place for a start. */
  begin(client: Client, migration: Migration, script: string, logs: string | null): Promise<string | null>;
  /** Notes the end, in the script's transaction. */
  finish(client: Client, migration: Migration, script: string, row: string | null): Promise<void>;
  /** Notes what the database said of a failure. */
  fail(client: Client, row: string | null, logs: string): Promise<void>;
  /** @returns how many rows stopped counting as applied or started. */
  markRolledBack(client: Client, migration: Migration): Promise<number>;
  /** Whether the script there is now is the one with the recorded checksum. */
  matches(script: string, recorded: string): boolean;
}

/** Every attempt has a row, with its start and its end. */
function attempts(table: typeof PRISMA_TABLE | typeof BACKOUT_TABLE): LedgerTable {
  return {
    rows: (client) => ledgerRows(client, table),
    create: (client, owner) => createLedger(client, table, owner),
    begin: (client, { name }, script, logs) => insertStarted(client, table, name, checksum(script), logs),
    finish: (client, _migration, _script, row) => finishRow(client, table, row!),
    fail: (client, row, logs) => logRow(client, table, row!, logs),
    markRolledBack: (client, { name }) => markRows(client, table, name),
    matches: matchesChecksum,
  };
}

const SUPABASE: LedgerTable = {
  rows: supabaseRows,
  create: createSupabaseLedger,
  begin: async () => Promise.resolve(null),
  finish: (client, { name }, script) => insertSupabaseRow(client, name, script),
  fail: async () => Promise.resolve(),
  markRolledBack: (client, { name }) => removeSupabaseRow(client, name),
  matches: (script, recorded) => recorded === "" || recorded === statementsChecksum(statementsOf(script)),
};

const OWN: Partial<Record<Ledger, LedgerTable>> = {
  prisma: attempts(PRISMA_TABLE),
  backout: attempts(BACKOUT_TABLE),
  supabase: SUPABASE,
};

export function ledgerTable(ledger: Ledger = "prisma"): LedgerTable {
  return OWN[ledger] ?? describedLedger(DESCRIPTORS[ledger]);
}
