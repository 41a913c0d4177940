/** A repair of data in place: the pin `data: {repair, snapshot, with}` names it, the data step runs it as one transaction. */
import type { SqlSession } from "./sql-session.ts";

export interface RowsChanged {
  inserted: number;
  updated: number;
  deleted: number;
}

export interface RepairContext {
  /** The live database, inside the fence and inside one transaction. */
  live: SqlSession;
  /** The snapshot that the pin names, for reading; null where the repair reads none. */
  snapshot: SqlSession | null;
  /** Every table of the live database; those of the definition first, parents before children. */
  tables: string[];
  /** As pinned. */
  arguments: Record<string, string>;
  /** Folder that paths among the arguments are relative to. */
  project: string;
}

/** What a pin can ask of a repair. */
export interface RepairTerms {
  title: string;
  arguments: Record<string, { title: string; optional?: true }>;
  /** Whether the pin has to name the snapshot it reads. */
  readsSnapshot: boolean;
  /** It puts other data in the place of what users wrote since, so that every row it changes counts as lost. Absent: only those it deletes. */
  replaces?: true;
}

export interface RepairDefinition extends RepairTerms {
  /**
   * Called a second time (a run that was killed goes on) it finds the data repaired and changes nothing. What it throws undoes all of it.
   * @returns rows changed by table.
   */
  run(context: RepairContext): Promise<Record<string, RowsChanged>>;
}
