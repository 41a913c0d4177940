/** Which ledger a database has. Pure. */
import { RefusedError } from "../../../../config/errors.ts";
import type { LedgerName } from "../../../../config/system/ledgers.ts";
import { LEDGER_OF_LAYOUT } from "../../../../config/system/migration.ts";
import type { DatabaseDefinition } from "../../../../config/system/definition.ts";
import type { FoundLedger } from "./registry.ts";

/** A database has the ledgers of several tools, and nothing says which of them is the system's. */
export class SeveralLedgersError extends RefusedError {
  readonly ledgers: LedgerName[];
  constructor(ledgers: LedgerName[]) {
    super(
      `the database has several ledgers of migrations: ${ledgers.join(", ")}. Nothing was changed. Name the system's own in its definition, ` +
        `e.g. ledger: "${ledgers[0]!}"`,
    );
    this.name = "SeveralLedgersError";
    this.ledgers = ledgers;
  }
}

/**
 * The declared ledger; for `auto` the one that was found, and where none was, the one that the migrations are laid out for.
 * @throws SeveralLedgersError
 */
export function chooseLedger(
  { ledger, layout }: Pick<DatabaseDefinition, "ledger" | "layout">,
  found: readonly Pick<FoundLedger, "ledger">[],
): LedgerName {
  if (ledger !== "auto") return ledger;
  const usual = layout === undefined ? "backout" : LEDGER_OF_LAYOUT[layout];
  const names = [...new Set(found.map((each) => each.ledger))];
  if (names.length === 0 || names.includes(usual)) return usual;
  if (names.length > 1) throw new SeveralLedgersError(names);
  return names[0]!;
}
