/** The ledgers of migrations backout can read and mark, by the tool that writes them. */
import type { Client } from "pg";
import { createLedger, finishRow, insertStarted, ledgerRows, logRow, markRows } from "./ledger.ts";
import { type Ledger, type LedgerRow } from "../../shared/migrations/ledger.ts";
import { checksum, matchesChecksum } from "../../shared/migrations/script.ts";
import {
  createSupabaseLedger,
  insertSupabaseRow,
  removeSupabaseRow,
  statementsChecksum,
  statementsOf,
  supabaseRows,
} from "./supabase-ledger.ts";

export interface LedgerTable {
  /** Rows in the order the migrations were started; none where there is no ledger yet. */
  rows(client: Client): Promise<LedgerRow[]>;
  create(client: Client, owner?: string): Promise<void>;
  /** Notes the start, before the script. @returns the row to finish; null where the ledger has no place for a start. */
  begin(client: Client, name: string, script: string, logs: string | null): Promise<string | null>;
  /** Notes the end, in the script's transaction. */
  finish(client: Client, name: string, script: string, row: string | null): Promise<void>;
  /** Notes what the database said of a failure. */
  fail(client: Client, row: string | null, logs: string): Promise<void>;
  /** @returns how many rows stopped counting as applied or started. */
  markRolledBack(client: Client, name: string): Promise<number>;
  /** Whether the script there is now is the one with the recorded checksum. */
  matches(script: string, recorded: string): boolean;
}

const PRISMA: LedgerTable = {
  rows: ledgerRows,
  create: createLedger,
  begin: (client, name, script, logs) => insertStarted(client, name, checksum(script), logs),
  finish: (client, _name, _script, row) => finishRow(client, row!),
  fail: (client, row, logs) => logRow(client, row!, logs),
  markRolledBack: markRows,
  matches: matchesChecksum,
};

const SUPABASE: LedgerTable = {
  rows: supabaseRows,
  create: createSupabaseLedger,
  begin: async () => Promise.resolve(null),
  finish: (client, name, script) => insertSupabaseRow(client, name, script),
  fail: async () => Promise.resolve(),
  markRolledBack: removeSupabaseRow,
  matches: (script, recorded) => recorded === "" || recorded === statementsChecksum(statementsOf(script)),
};

export function ledgerTable(ledger: Ledger = "prisma"): LedgerTable {
  if (ledger === "backout")
    throw new Error("the ledger `backout` is one of SQLite files: a PostgreSQL database has `prisma` or `supabase`");
  return ledger === "supabase" ? SUPABASE : PRISMA;
}
