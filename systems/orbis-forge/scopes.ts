/**
 * The procedures of the rollback plan as sets of pins. Options A, B and C restore data; the application is rolled back with each of them.
 */
import type { ScopeArgs, WatchArgs } from "../../components/define.ts";
import type { ScopePins } from "../../config/system/definition.ts";

/** Shown by the gate while users are kept out; `MAINTENANCE_MESSAGE` of the rollback plan. */
export const MAINTENANCE = "System maintenance in progress. Please try again in 30 minutes.";

const MINUTE = 60;

/** The plan's phases 1 to 6. The sixth is a watch, and the seventh the work of days: both come after users are in. */
const BUDGET_SECONDS = 75 * MINUTE;
const PHASE_BUDGETS = {
  fence: 5 * MINUTE,
  snapshot: 10 * MINUTE,
  data: 15 * MINUTE,
  install: 5 * MINUTE,
  start: 5 * MINUTE,
  verify: 5 * MINUTE,
  finalize: 15 * MINUTE,
};

const BACK: ScopePins = { release: "to", schema: "keep", maintenance: { mode: "off" } };

function scope(title: string, useWhen: string, data: NonNullable<ScopePins["data"]>): ScopeArgs {
  return { title, useWhen, budgetSeconds: BUDGET_SECONDS, phaseBudgets: PHASE_BUDGETS, pins: { ...BACK, data } };
}

export const scopes: Record<string, ScopeArgs> = {
  full: scope(
    "C Full: the data from the snapshot before the deployment, and the previous release",
    "Data is corrupt beyond repair",
    "snapshot",
  ),
  selective: scope(
    "A Selective: only the bad rows from the snapshot, and the previous release",
    "Few rows are bad, and their keys are known",
    { repair: "rows" },
  ),
  transaction: scope(
    "B Transaction: one transaction reverted by the change history, and the previous release",
    "One recent transaction did the damage",
    { repair: "transaction" },
  ),
  "json-import": scope(
    "Import: the export from before the deployment replaces the projects, and the previous release",
    "The snapshot cannot be used and the export can",
    { repair: "json-import" },
  ),
  application: scope("Application: the previous release; the data stays", "The release fails and its data is intact", "current"),
  maintenance: {
    title: "Maintenance: users are kept out with the plan's message, and permissions are restricted; nothing is rolled back yet",
    useWhen: "Users must be protected before the decision",
    budgetSeconds: 5 * MINUTE,
    phaseBudgets: { fence: 5 * MINUTE },
    pins: { maintenance: { mode: "full", message: MAINTENANCE } },
    checks: ["health"],
  },
};

const AFTER = ["full", "selective", "transaction", "json-import", "application"];

/** Outside the rollback's budget, one after another. */
const watch = (title: string, minutes: number, intervalSeconds: number, more: Partial<WatchArgs> = {}): WatchArgs => ({
  title,
  after: AFTER,
  durationMinutes: minutes,
  intervalSeconds,
  checks: ["health", "stable-load"],
  ...more,
  pass: { limits: [{ title: "error rate below 0.1 %", figure: "errors", per: "requests", over: "sum", below: 0.001 }], ...more.pass },
});

export const watches: Record<string, WatchArgs> = {
  polls: watch("15 health polls, one a minute, every one healthy", 15, 60),
  stability: watch("2 hours without errors or degradation; only then is completion declared", 120, 300, {
    follows: "polls",
    checks: ["health", "stable-load", "integrity", "foreign-keys"],
  }),
  heightened: watch("24 hours of raised monitoring, lowered alert thresholds and extended on-call", 24 * 60, 900, {
    follows: "stability",
    pass: { healthyShare: 0.99 },
  }),
};
