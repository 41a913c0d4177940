import type { Ledger } from "../../../postgres/migrations.ts";
import type { SystemDefinition } from "../../../systems/definition.ts";

/** @throws where the ledger is one that only files have */
export function ledgerOf(definition: SystemDefinition, database: string): Ledger {
  const { ledger } = definition.databases[database]!;
  if (ledger !== "backout") return ledger;
  throw new Error(`${database} is a PostgreSQL database: its ledger of migrations is \`prisma\` or \`supabase\`, not \`backout\``);
}
