/** What is recorded of a system that was taken over: how far that came, and what is given back in the end. */
import type { StateStore } from "../config/record.ts";
import type { SystemDefinition } from "../config/system/definition.ts";

export interface AdoptionRecord {
  runId: string;
  /** ISO 8601. */
  startedAt: string;
  /** ISO 8601; null: begun and not done. */
  doneAt: string | null;
  /** Release that ran. */
  release: string;
  /** Migrations that were entered in the ledger, by database. */
  entered: Record<string, string[]>;
  /** The state was made for it. */
  madeState: boolean;
  /** The stack file said `adopt: true` before. */
  declared: boolean;
}

const KEY = "adoption";
const GIVING_BACK = "giving back";

/** What a live database had before backout knew it. */
export const foundKey = (database: string): string => `found: ${database}`;
/** It was given back since: what is live is somebody else's again. */
export const givenBackKey = (database: string): string => `given back: ${database}`;

/** Null: nothing was taken over by `adopt`. */
export async function adoptionRecord(state: StateStore): Promise<AdoptionRecord | null> {
  return state.kept<AdoptionRecord>(KEY);
}

/** The first one stays until it is given back. */
export async function beginAdoption(state: StateStore, record: AdoptionRecord): Promise<AdoptionRecord> {
  return state.keepFirst(KEY, record);
}

export async function changeAdoption(state: StateStore, record: AdoptionRecord): Promise<void> {
  await state.keep(KEY, record);
}

/** Databases that were taken over and not given back yet; those that an interrupted giving back had begun with included. */
export async function adoptedDatabases(state: StateStore, { databases }: Pick<SystemDefinition, "databases">): Promise<string[]> {
  const begun = await state.kept<string[]>(GIVING_BACK);
  if (begun !== null) return begun;
  const found: string[] = [];
  for (const database of Object.keys(databases)) if ((await state.kept(foundKey(database))) !== null) found.push(database);
  return found;
}

/** Whether a database was given back and not taken over again since. */
export async function wasGivenBack(state: StateStore, { databases }: Pick<SystemDefinition, "databases">): Promise<boolean> {
  for (const database of Object.keys(databases)) if ((await state.kept(givenBackKey(database))) !== null) return true;
  return false;
}

/** Remembers what is to be given back until `endGivingBack`. */
export async function beginGivingBack(state: StateStore, databases: readonly string[]): Promise<void> {
  await state.keepFirst(GIVING_BACK, databases);
}

export async function endGivingBack(state: StateStore): Promise<void> {
  await state.forget(GIVING_BACK);
  await state.forget(KEY);
}
