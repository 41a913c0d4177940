/** The ledgers of migrations backout can read and mark, by the tool that writes them. */
import type { LedgerTable } from "./ledger-table.ts";
import { describedLedger } from "./described-ledger.ts";
import { BACKOUT_TABLE, createLedger, finishRow, insertStarted, ledgerRows, logRow, markRows, PRISMA_TABLE } from "./ledger.ts";
import { type Ledger } from "../../shared/migrations/ledger.ts";
import { DESCRIPTORS } from "../../shared/migrations/ledgers/registry.ts";
import { checksum, matchesChecksum } from "../../shared/migrations/script.ts";
import {
  createSupabaseLedger,
  insertSupabaseRow,
  removeSupabaseRow,
  statementsChecksum,
  statementsOf,
  supabaseRows,
} from "./supabase-ledger.ts";

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
