/** Targets of a finished rollback. */
import type { CheckContext } from "./check.ts";

/**
 * Every run has `rollbackSeconds` (begin to users served) and `rowsLost` (rows that are in the live data no more); the others are measured.
 */
export interface CompletionTarget {
  metric: string;
  title: string;
  /** The figure must be below, above, or at most this. */
  below?: number;
  above?: number;
  atMost?: number;
  /** For people: `s`, `rows`, `share`. */
  unit: string;
}

export interface CompletionDefinition {
  targets: CompletionTarget[];
  /** Measured once users are in again; only reads. A metric it leaves out was not measured. */
  measure?(context: CheckContext): Promise<Record<string, number>>;
}

export interface MeasuredTarget {
  metric: string;
  title: string;
  target: string;
  /** Null: not measured. */
  actual: number | null;
  /** Null: not measured, neither met nor missed. */
  met: boolean | null;
}

export type CompletionStatus = "SUCCESS" | "PARTIAL SUCCESS" | "FAILED";

export interface Completion {
  status: CompletionStatus;
  targets: MeasuredTarget[];
}
