/** Every ledger that backout knows, and which of them a catalogue shows. Pure. */
import type { LedgerName } from "../../../../config/system/ledgers.ts";
import type { FoundTable, LedgerDescriptor } from "./descriptor.ts";
import { backout, prisma, supabase } from "./own.ts";
import { alembic, django, drizzle, knex, liquibase, nodePgMigrate, rails, sequelize, sqlx, typeorm } from "./program-tools.ts";
import { dbmate, flyway, golangMigrate, goose } from "./sql-tools.ts";

export const DESCRIPTORS: Readonly<Record<LedgerName, LedgerDescriptor>> = {
  prisma,
  supabase,
  flyway,
  alembic,
  django,
  rails,
  "golang-migrate": golangMigrate,
  dbmate,
  goose,
  knex,
  drizzle,
  typeorm,
  sequelize,
  "node-pg-migrate": nodePgMigrate,
  liquibase,
  sqlx,
  backout,
};

/** What a catalogue is asked for: the tables of every ledger. In lower case. */
export const LEDGER_TABLES: readonly string[] = [...new Set([...Object.values(DESCRIPTORS).map(({ table }) => table.toLowerCase())])];

export interface FoundLedger {
  ledger: LedgerName;
  table: FoundTable;
}

export function recognises(descriptor: LedgerDescriptor, table: FoundTable): boolean {
  return (
    table.name.toLowerCase() === descriptor.table.toLowerCase() &&
    (descriptor.schema === undefined || table.schema === descriptor.schema) &&
    descriptor.columns.every((column) => Object.hasOwn(table.columns, column)) &&
    (descriptor.isOwn?.(table) ?? true)
  );
}

/** Ledgers among these tables: each table is at most one tool's. A table with the name of a ledger and other columns is none. */
export function recognised(tables: readonly FoundTable[]): FoundLedger[] {
  return tables.flatMap((table) => {
    const descriptor = Object.values(DESCRIPTORS).find((each) => recognises(each, table));
    return descriptor === undefined ? [] : [{ ledger: descriptor.name, table }];
  });
}

/** Whether backout itself can apply migrations of this ledger and enters what the tool would. */
export function canApply(ledger: LedgerName): boolean {
  return ["prisma", "supabase", "backout"].includes(ledger) || DESCRIPTORS[ledger].writing !== undefined;
}
