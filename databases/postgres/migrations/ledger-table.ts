/** What running migrations needs of a ledger in a PostgreSQL database. */
import type { Client } from "pg";
import type { LedgerRow } from "../../shared/migrations/ledger.ts";
import type { Migration } from "../../shared/migrations/script.ts";

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
