/** Which ledgers of migrations a SQLite file has. */
import type { DatabaseSync } from "node:sqlite";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { Ledger } from "../shared/migrations/ledger.ts";
import { chooseLedger } from "../shared/migrations/ledgers/choose.ts";
import type { FoundTable } from "../shared/migrations/ledgers/descriptor.ts";
import { LEDGER_TABLES, recognised, type FoundLedger } from "../shared/migrations/ledgers/registry.ts";
import { all } from "./database.ts";

/** Changes nothing. */
export function detectLedger(db: DatabaseSync): FoundLedger[] {
  const names = all<{ name: string }>(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").map(({ name }) => name);
  const tables = names
    .filter((name) => LEDGER_TABLES.includes(name.toLowerCase()))
    .map((name): FoundTable => {
      const columns = all<{ name: string; type: string }>(db, "SELECT lower(name) AS name, type FROM pragma_table_info($1)", [name]);
      return { schema: null, name, columns: Object.fromEntries(columns.map((column) => [column.name, column.type])) };
    });
  return recognised(tables);
}

/** @throws SeveralLedgersError */
export function ledgerIn(db: DatabaseSync, definition: SystemDefinition, database: string): Ledger {
  const described = definition.databases[database]!;
  return chooseLedger(described, described.ledger === "auto" ? detectLedger(db) : []);
}
