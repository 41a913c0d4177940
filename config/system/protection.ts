/** Restrictions inside the system's own data, besides the traffic gate. */
import type { SqlValue } from "./sql-session.ts";

/** Put on before anything stops, given back when users are let in. */
export interface ProtectionDefinition {
  id: string;
  title: string;
  database: string;
  /** Table without which there is nothing to restrict. */
  requiresTable: string;
  /** Rows of `key` and `value`: the original of everything the restriction changes. */
  readSql: string;
  /** Restricts. Run any number of times, also on data that took the place of the restricted one. */
  restrictSql: string;
  /** Gives the original `$2` back to the row with the key `$1`; leaves alone what somebody changed since. */
  giveBackSql: string;
  /** Scopes it belongs to; absent: every rollout that goes back. */
  scopes?: string[];
}

/** The originals of a restriction, by key. */
export interface HeldProtection {
  /** It stands now; false: everything was given back. */
  restricted: boolean;
  originals: { key: SqlValue; value: SqlValue }[];
}
