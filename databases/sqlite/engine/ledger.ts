import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { Ledger } from "../ledger.ts";

/** @throws where the ledger is one that only servers have */
export function ledgerOf(definition: SystemDefinition, database: string): Ledger {
  const { ledger } = definition.databases[database]!;
  if (ledger === "prisma" || ledger === "backout") return ledger;
  throw new Error(`${database} is a SQLite file: its ledger of migrations is \`prisma\` or \`backout\`, not \`${ledger}\``);
}
