/** Constraints of a live database as a rollout sees them, whatever the engine. */
import type { ConstraintKind } from "../../config/system/constraint.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";

/** All that is needed to create a constraint again. */
export interface SavedConstraint {
  kind: ConstraintKind;
  /** What follows `ADD CONSTRAINT <name>`; of a trigger its whole statement. */
  definition: string;
  /** Functions the rule calls, as CREATE statements. */
  functions: { signature: string; statement: string }[];
  /** Enumerations its values are of, with their labels in order. */
  enums: { name: string; labels: string[] }[];
  /** What is said of it; absent: nothing. */
  comment?: string;
  /** When a trigger fires; absent: as usual. */
  fires?: "ALWAYS" | "REPLICA";
}

export interface FoundConstraint {
  oid: string;
  kind: ConstraintKind;
  /** What follows `ADD CONSTRAINT <name>`, without what is said of its state. */
  definition: string;
  validated: boolean;
  /** False: a trigger that is disabled, or a constraint that is declared NOT ENFORCED. */
  enforced: boolean;
}

/** What is written about a change, in its transaction. */
export type ResultRecorder = (result: "PASS" | "FAIL", notes: string, durationMs: number) => Promise<void>;

/** A constraint by name, on its table. */
export interface Subject {
  table: string;
  name: string;
  /** Condition over `r` that the definition gives; see `violationCondition`. */
  violates?: string;
}

export interface Enforcement {
  saved: SavedConstraint;
  /** Rows that are there are looked at. */
  validate: boolean;
  /** Moves rows that violate the rule out of the way, once nothing new can violate it; absent: they end the attempt. */
  moveAway?: (condition: string) => Promise<void>;
}

export interface Quarantined {
  table: string;
  /** Side table the rows are in now. */
  into: string;
  rows: number;
}

export interface Violations {
  count: number;
  /** Key of each of the first few rows, as JSON; where the table has no key, the place of the row. */
  rows: string[];
}

/** `3 rows: {"id": 4}, {"id": 7}, …` */
export function tellViolations({ count, rows }: Violations): string {
  return `${count} ${count === 1 ? "row" : "rows"}: ${rows.join(", ")}${count > rows.length ? ", …" : ""}`;
}

/** A session in a database, and what can be done there with its constraints. The caller ends it. */
export interface ConstraintSession {
  session: SqlSession;
  end(): Promise<void>;
  /** By exact name; null where there is none. */
  find(subject: Subject): Promise<FoundConstraint | null>;
  /** All that is needed to create it again, also where a function or an enumeration that it uses is gone by then. */
  save(found: FoundConstraint): Promise<SavedConstraint>;
  /** Foreign keys of other tables that rest on it, as `table.name`. */
  dependents(subject: Subject): Promise<string[]>;
  /** Rows that violate it, whether it exists or not. */
  violations(subject: Subject, saved: SavedConstraint): Promise<Violations>;
  drop(subject: Subject, record: ResultRecorder): Promise<"already" | "dropped">;
  enforce(subject: Subject, enforcement: Enforcement, record: ResultRecorder): Promise<"already" | "validated" | "added">;
  /** From enforced to a rule for new rows only. */
  unvalidate(subject: Subject, saved: SavedConstraint): Promise<"already" | "loosened">;
  /** Moves rows that meet the condition to side tables, with the rows that refer to them. */
  quarantine(table: string, condition: string, epoch: number, why: string): Promise<Quarantined[]>;
}
