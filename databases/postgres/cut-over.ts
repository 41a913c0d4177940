/** The cut-over: two renames in one transaction, in constant time at any data size. */
import type pg from "pg";
import { quote } from "../shared/identifiers.ts";
import { assertFenced, endSessions } from "./fence.ts";
import { DatabaseMissingError } from "./properties.ts";
import { findDatabase } from "./sessions.ts";
import { atomically } from "./transaction.ts";

export { derivedName } from "../../config/names.ts";

export interface Swap {
  live: string;
  replacement: string;
  /** Name the live database gets. */
  quarantine: string;
  /** Rows the caller writes in the same transaction: they are there exactly when the swap happened. */
  inTransaction?: (client: pg.Client) => Promise<void>;
}

export interface SwapOutcome {
  /** 1, plus the times a session had sneaked in and was ended. */
  attempts: number;
}

/** The name for the quarantine is taken. */
export class QuarantineTakenError extends Error {
  readonly database: string;
  constructor(database: string) {
    super(`there is already a database "${database}": nothing was renamed. Choose another name for the quarantine`);
    this.name = "QuarantineTakenError";
    this.database = database;
  }
}

/**
 * Live becomes the quarantine, the replacement becomes live. Both must be fenced. `admin` is a session in a third database, outside a transaction.
 * Neither database's properties are touched: carry them over afterwards, then admit.
 * @throws NotFencedError, DatabaseMissingError, QuarantineTakenError: nothing was changed
 */
export async function swapDatabases(admin: pg.Client, swap: Swap): Promise<SwapOutcome> {
  const { live, replacement, quarantine } = swap;
  const [liveOid, replacementOid, quarantineOid] = [
    await findDatabase(admin, live),
    await findDatabase(admin, replacement),
    await findDatabase(admin, quarantine),
  ];
  if (liveOid === null) throw new DatabaseMissingError(live);
  if (replacementOid === null) throw new DatabaseMissingError(replacement);
  if (quarantineOid !== null) throw new QuarantineTakenError(quarantine);
  await assertFenced(admin, live);
  await assertFenced(admin, replacement);
  const deadline = Date.now() + 30_000;
  for (let attempts = 1; ; attempts++) {
    try {
      await inOneTransaction(admin, swap);
      return { attempts };
    } catch (error) {
      // 55006: a session is in one of them after all.
      if ((error as { code?: string }).code !== "55006" || Date.now() > deadline) throw error;
      await endSessions(admin, live, liveOid, []);
      await endSessions(admin, replacement, replacementOid, []);
    }
  }
}

function inOneTransaction(admin: pg.Client, { live, replacement, quarantine, inTransaction }: Swap): Promise<void> {
  return atomically(admin, async () => {
    for (const statement of swapStatements({ live, replacement, quarantine })) await admin.query(statement);
    await inTransaction?.(admin);
  });
}

function swapStatements({ live, replacement, quarantine }: Pick<Swap, "live" | "replacement" | "quarantine">): string[] {
  return [`ALTER DATABASE ${quote(live)} RENAME TO ${quote(quarantine)}`, `ALTER DATABASE ${quote(replacement)} RENAME TO ${quote(live)}`];
}
