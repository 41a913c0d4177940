/** What backout knows of one tool's ledger. Statements are plain SQL that PostgreSQL and SQLite both run; `$1` … stand for the values. */
import type { LedgerName } from "../../../../config/system/ledgers.ts";
import type { Migration } from "../script.ts";

/** A table of a catalogue, as far as a ledger shows in it. Names of columns in lower case. */
export interface FoundTable {
  /** Null where the engine has no schemas. */
  schema: string | null;
  name: string;
  /** Type by column. */
  columns: Readonly<Record<string, string>>;
}

/** One row of a ledger. */
export interface LedgerEntry {
  /** What the ledger calls the migration. */
  version: string;
  /** What it is called where no known migration has this version. */
  label: string;
  /** As the tool hashes scripts; empty where the ledger keeps none. */
  checksum: string;
  /** `unfinished`: started and left half-way. `undone`: applied and reverted since. */
  state: "applied" | "unfinished" | "undone";
  /** Names of the known migrations below it that it stands for, in a ledger that keeps the newest only. Absent: none. */
  covers?: readonly string[];
}

export interface Statement {
  sql: string;
  values: readonly (string | number | boolean | null)[];
}

/** How backout enters in a ledger what the tool would enter. */
export interface LedgerWriting {
  /** The table as the tool makes it. @param table quoted */
  create(table: string, engine: "postgres" | "sqlite"): Statement[];
  /** What the tool enters once a migration is applied. */
  enter(table: string, migration: Migration, script: string): Statement[];
  /** What the tool does once it is reverted. */
  remove(table: string, migration: Migration): Statement;
  /** Whether the script that there is now is the one with this checksum. @default always */
  matches?(script: string, checksum: string): boolean;
}

export interface LedgerDescriptor {
  name: LedgerName;
  /** The tool, as its users call it. */
  tool: string;
  table: string;
  /** The schema the tool's table is always in; absent: any. */
  schema?: string;
  /** Columns that the table must have. */
  columns: readonly string[];
  /** What else tells it from another tool's table with the same name and columns. */
  isOwn?(table: FoundTable): boolean;
  /** Statement that reads the rows in the order in which they were entered. @param table quoted */
  read(table: string): string;
  entry(row: Readonly<Record<string, unknown>>, known: readonly Migration[]): LedgerEntry;
  /** What the ledger calls the migration of this name. */
  versionOf(name: string): string;
  /** Rows with other labels belong to programs that the definition does not know. Absent: all rows count. */
  concerns?(label: string, known: readonly Migration[]): boolean;
  /** Absent: only the tool itself writes there. */
  writing?: LedgerWriting;
}
