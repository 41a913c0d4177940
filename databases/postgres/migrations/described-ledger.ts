/** A ledger in the form that its tool gave it, by its descriptor. */
import type { Client } from "pg";
import { quote } from "../../shared/identifiers.ts";
import type { LedgerDescriptor, Statement } from "../../shared/migrations/ledgers/descriptor.ts";
import { rowsOf } from "../../shared/migrations/ledgers/rows.ts";
import { ToolOnlyError } from "../../shared/migrations/errors.ts";
import { detectLedger } from "./detect.ts";
import type { LedgerTable } from "./ledger-table.ts";

const named = (schema: string, table: string): string => `${quote(schema)}.${quote(table)}`;

export function describedLedger(descriptor: LedgerDescriptor): LedgerTable {
  const find = async (client: Client) => (await detectLedger(client)).find(({ ledger }) => ledger === descriptor.name)?.table;
  const place = async (client: Client): Promise<string> => {
    const found = await find(client);
    return named(found?.schema ?? descriptor.schema ?? "public", found?.name ?? descriptor.table);
  };
  const writing = (migration: string) => {
    if (descriptor.writing === undefined) throw new ToolOnlyError([migration]);
    return descriptor.writing;
  };
  const run = async (client: Client, { sql, values }: Statement): Promise<number> => (await client.query(sql, [...values])).rowCount ?? 0;
  return {
    rows: async (client, known) => {
      const table = await find(client);
      if (table === undefined) return [];
      const { rows } = await client.query<Record<string, unknown>>(descriptor.read(named(table.schema!, table.name)));
      return rowsOf(descriptor, rows, known);
    },
    create: async (client, owner) => {
      if ((await find(client)) !== undefined) return;
      const table = await place(client);
      for (const statement of writing("a migration").create(table, "postgres")) await run(client, statement);
      if (owner !== undefined) await client.query(`ALTER TABLE ${table} OWNER TO ${quote(owner)}`);
    },
    begin: async () => Promise.resolve(null),
    finish: async (client, migration, script) => {
      for (const statement of writing(migration.name).enter(await place(client), migration, script)) await run(client, statement);
    },
    fail: async () => Promise.resolve(),
    markRolledBack: async (client, migration) => run(client, writing(migration.name).remove(await place(client), migration)),
    matches: (script, recorded) => descriptor.writing?.matches?.(script, recorded) ?? true,
  };
}
