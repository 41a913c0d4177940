/** What is found in a live database that somebody else made, whatever its engine. Plain data: shown, and printed as JSON. */

export interface FoundDatabase {
  /** Name on the server, or path of the file. */
  live: string;
  /** `host:port`, or the folder of the file. */
  place: string;
  sizeBytes: number;
  /** Role, or user of the file. */
  owner: string;
  /** Largest first; rows are estimates. */
  tables: { name: string; rows: number }[];
  /** Who may do what with the database itself; the grantee null is PUBLIC. The mode of a file. */
  grants: { grantee: string | null; privileges: string[] }[];
  /** Sessions in it now: how many of each application and role. Of a file: the processes that have it open. */
  sessions: { application: string; role: string; count: number }[];
  /** Where migrations are recorded, the system's own ledger first. */
  ledgers: FoundLedger[];
  extensions: { name: string; version: string; schema: string }[];
  /** What the driver cannot do there as it is now, and how that changes, one sentence each. */
  limits: string[];
  /** What the system's services will find otherwise than the present programs do, one sentence each. */
  notes: string[];
}

export interface FoundLedger {
  /** Its table, or the tool that keeps it. */
  name: string;
  /** The ledger that the system's definition names. */
  declared: boolean;
  /** Newest migration that is recorded; null: not known, or none. */
  head: string | null;
  /** How many are recorded; null: not known. */
  applied: number | null;
}

/** The message of what `work` throws; null where it does not. */
export async function obstacle(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
