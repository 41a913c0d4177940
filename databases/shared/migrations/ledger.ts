/** What every ledger of migrations keeps. */
import type { LedgerName } from "../../../config/system/ledgers.ts";

/** Which tool's ledger the system keeps. */
export type Ledger = LedgerName;

export interface LedgerRow {
  id: string;
  checksum: string;
  name: string;
  logs: string | null;
  startedAt: Date;
  finishedAt: Date | null;
  rolledBackAt: Date | null;
  appliedSteps: number;
}
