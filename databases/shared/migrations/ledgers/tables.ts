/** Which tables are ledgers of migrations, by name. They describe the schema, not the users' data: they are compared only when they are named. Pure. */
import { DESCRIPTORS } from "./registry.ts";

/** A name that other tables have as well: the columns decide. */
const COMMON = DESCRIPTORS.typeorm;

/** Names that only ledgers have, in lower case. */
export const LEDGER_TABLE_NAMES: readonly string[] = [
  ...new Set(
    Object.values(DESCRIPTORS)
      .filter((descriptor) => descriptor !== COMMON)
      .map(({ table }) => table.toLowerCase()),
  ),
];

/**
 * @param name with its schema where it is not the usual one
 * @param columns absent: not known, and then a table with a common name counts as data
 */
export function isLedgerTable(name: string, columns: readonly string[] = []): boolean {
  const bare = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  return (
    LEDGER_TABLE_NAMES.includes(bare) ||
    (bare === COMMON.table && columns.length === COMMON.columns.length && COMMON.columns.every((column) => columns.includes(column)))
  );
}
