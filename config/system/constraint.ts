/** Constraints as config: rules of the data that a rollback may drop, and that are enforced again afterwards. */

/** `unvalidated`: new rows must satisfy it, existing rows are not checked. */
export type ConstraintState = "enforced" | "unvalidated" | "dropped";

/** How the rule is made. `trigger`: a constraint trigger, for what a row alone does not tell. */
export type ConstraintKind = "check" | "foreign-key" | "unique" | "primary-key" | "trigger";

export type ConstraintRisk = "HIGH" | "MEDIUM" | "LOW";

/** Sort order of risks: by name HIGH would come before LOW, and MEDIUM last. */
export const RISK_RANK: Record<ConstraintRisk, number> = { LOW: 1, MEDIUM: 2, HIGH: 3 };

export interface ConstraintDefinition {
  title: string;
  database: string;
  table: string;
  kind: ConstraintKind;
  /** Risk of a drop. HIGH: a snapshot is taken first, and the constraint is dropped alone. */
  risk: ConstraintRisk;
  /** 1: the first to go in an emergency. Constraints are dropped by priority, and in the order of the definition where it is the same. */
  priority: number;
  /**
   * What follows `ADD CONSTRAINT <name>`, or for a trigger the whole CREATE CONSTRAINT TRIGGER statement. Used only where the constraint
   * was never seen in a database: what was seen there is saved and wins. Null: only what was seen counts.
   */
  definition: string | null;
  /**
   * SQL condition over `r`, a row of the table: true where it violates the rule. Derived from the definition unless given; triggers need
   * it.
   */
  violates?: string;
}

/** The system's own record of drops and recoveries. */
export interface ConstraintRecords {
  database: string;
  requiresTable: string;
  /**
   * Writes one result, in the transaction of the change. `$1` scope (null where none fits), `$2` `drop` or `recover`, `$3` constraint,
   * `$4` table, `$5` `PASS` or `FAIL`, `$6` notes, `$7` milliseconds it took.
   */
  writeSql: string;
  /** Constraints that recovery offers: rows of `name` and `table`. */
  offeredSql: string;
  /** Assessment before a recovery: each statement returns rows of `name`, `result` (`PASS` where all is well) and `detail`. */
  assessments: { title: string; sql: string }[];
}
