/**
 * The four levels of the manual and the restore of its second scenario, as sets of pins. Only this file says which constraints a level
 * drops: the manual calls the critical level "full", but its procedure drops priority 1; `full` drops all nine. The
 * manual gives a deadline per level and no times per step: a quarter to stop and to save, half for the constraints, the rest to verify.
 */
import type { ScopeArgs, WatchArgs } from "../../components/define.ts";
import type { ConstraintState } from "../../config/system/constraint.ts";
import { CONSTRAINTS } from "./constraints.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Constraints by level, in the order in which they are dropped. */
export const LEVELS = {
  critical: ["workflow_progression", "station_progression"],
  high: ["workflow_progression", "barcode_format", "electrical_data"],
  medium: ["panel_type_line", "pallet_capacity"],
  low: ["email_format", "station_number"],
  full: Object.keys(CONSTRAINTS),
} as const;

function budgets(seconds: number): Record<string, number> {
  return { fence: seconds / 8, snapshot: seconds / 8, data: seconds / 2, start: seconds / 16, verify: seconds / 8 };
}

function level(title: string, useWhen: string, budgetSeconds: number, names: readonly string[]): ScopeArgs {
  const constraints = Object.fromEntries(names.map((name): [string, ConstraintState] => [name, "dropped"]));
  return { title, useWhen, budgetSeconds, phaseBudgets: budgets(budgetSeconds), pins: { constraints } };
}

export const scopes: Record<string, ScopeArgs> = {
  critical: level(
    "CRITICAL: the constraints of priority 1",
    "The system does not function and production has halted",
    15 * MINUTE,
    LEVELS.critical,
  ),
  high: level("HIGH: workflow, barcode and electrical data", "Major functionality is impaired", HOUR, LEVELS.high),
  medium: level("MEDIUM: panel type and line, pallet capacity", "Minor functionality suffers", 4 * HOUR, LEVELS.medium),
  low: level("LOW: email and station number, in a maintenance window", "Planned maintenance of constraints", 24 * HOUR, LEVELS.low),
  full: level("All nine constraints", "Priority 1 was not enough and production is still stopped", 15 * MINUTE, LEVELS.full),
  restore: {
    title: "Last known good data and the constraints of its release; violating rows are set aside",
    useWhen: "Violations cascade across tables and data is corrupt",
    budgetSeconds: 4 * HOUR,
    phaseBudgets: budgets(4 * HOUR),
    pins: { release: "to", data: "snapshot", schema: "keep", constraints: "release", violations: "quarantine" },
  },
};

/** The line is watched while production resumes step by step. The manual gives no times. */
export const watches: Record<string, WatchArgs> = {
  "gradual-restart": {
    title: "Gradual restart: performance and integrity while production resumes",
    durationMinutes: 15,
    intervalSeconds: 60,
    checks: ["health", "constraints-as-declared", "functionality", "integrity", "triggers-enabled", "health-overview", "continuity"],
    pass: { limits: [{ title: "more than 99 % of requests answered", figure: "errors", per: "requests", over: "sum", below: 0.01 }] },
  },
};
