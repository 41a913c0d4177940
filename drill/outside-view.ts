/** A stack, seen from outside. */
import type { RolloutTimes, QuarantineFacts } from "./checks.ts";
import type { Contents } from "./contents.ts";
import type { Counts } from "./differences.ts";
import type { DatabaseAddress } from "./witness/content.ts";

export interface JournalTimes extends RolloutTimes {
  /** First start and last end of each phase, milliseconds of wall clock. */
  phases: Record<string, { from: number; to: number }>;
}

/** A quarantine of a rollout. */
export interface Quarantine {
  /** Its name in the catalogue. */
  name: string;
  database: string;
  /** Name on the server, or path. */
  place: string;
}

export interface Outside {
  /** Database of the definition → its name on the server, or its path. */
  live: Record<string, string>;
  /** Rows and content of every table. `without`: rows that hold this text anywhere are left out. */
  contents(place: string, without?: string): Promise<Contents>;
  /** Per table of either. */
  differences(base: string, current: string): Promise<Record<string, Counts>>;
  exists(place: string): Promise<boolean>;
  quarantines(epoch: number): Promise<Quarantine[]>;
  /** The pristine copy of a restore; null: it cannot be opened. */
  pristine(database: string, pin: string): Promise<string | null>;
  journalTimes(epoch: number): Promise<JournalTimes>;
  /** The witness's rows in a quarantine. */
  quarantineFacts(
    quarantine: Pick<Quarantine, "name" | "place"> | null,
    script: { table: string; key: string },
    prefix: string,
  ): Promise<QuarantineFacts>;
  /** Lets the drill and its witness open closed data, and closes it again afterwards. */
  withDoors<T>(places: readonly string[], work: () => Promise<T>): Promise<T>;
  addressOf(place: string): DatabaseAddress;
}

/** Times of steps, from the rows of a journal. */
export function timesOf(rows: readonly { phase: string; kind: string; status: string; atMs: number }[]): JournalTimes {
  const phases: JournalTimes["phases"] = {};
  for (const { phase, atMs } of rows) phases[phase] = { from: phases[phase]?.from ?? atMs, to: atMs };
  const last = (phase: string): number | null =>
    rows.findLast((row) => row.phase === phase && row.status === "finished" && row.kind !== "results")?.atMs ?? null;
  return { fencedAt: last("fence"), verifiedAt: last("verify"), phases };
}
