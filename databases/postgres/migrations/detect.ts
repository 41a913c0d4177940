/** Which ledgers of migrations a PostgreSQL database has. */
import type { Client } from "pg";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { Ledger } from "../../shared/migrations/ledger.ts";
import { chooseLedger } from "../../shared/migrations/ledgers/choose.ts";
import type { FoundTable } from "../../shared/migrations/ledgers/descriptor.ts";
import { LEDGER_TABLES, recognised, type FoundLedger } from "../../shared/migrations/ledgers/registry.ts";

const TABLES = `
  SELECT n.nspname::text AS schema, c.relname::text AS name,
    (SELECT json_object_agg(lower(a.attname), format_type(a.atttypid, a.atttypmod)) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND lower(c.relname) = ANY ($1) AND n.nspname !~ '^pg_'
  ORDER BY n.nspname = ANY (current_schemas(false)) DESC, 1, 2`;

/** Changes nothing. @example (await detectLedger(client)).map(({ ledger }) => ledger) // ["alembic"] */
export async function detectLedger(client: Client): Promise<FoundLedger[]> {
  return recognised((await client.query<FoundTable>(TABLES, [LEDGER_TABLES])).rows);
}

/** @throws SeveralLedgersError */
export async function ledgerIn(client: Client, definition: SystemDefinition, database: string): Promise<Ledger> {
  const described = definition.databases[database]!;
  return chooseLedger(described, described.ledger === "auto" ? await detectLedger(client) : []);
}
