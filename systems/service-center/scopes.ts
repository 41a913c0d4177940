/** The procedures as sets of pins. Application and database go back together; what goes back alone says so. */
import type { ScopeDefinition } from "../../config/system/definition.ts";
import { PHASE_BUDGETS, PROCEDURE, TARGET_SECONDS } from "./procedure.ts";

const DATA_CHECKS = [
  "database-select-1",
  "counts",
  "phase-2-tables-gone",
  "no-migration-errors",
  "materialised-views",
  "rls-policies",
  "rls-isolation",
  "triggers-recorded",
  "no-orphans",
  "sequences",
];
const ENVIRONMENT_CHECKS = ["environment-variables", "environment-connection", "environment-keys", "environment-no-phase-2-flags"];
const SMOKE_CHECKS = [
  "smoke-accessible",
  "smoke-health",
  "smoke-login",
  "smoke-dashboard",
  "smoke-tickets",
  "smoke-no-phase-2",
  "smoke-create-ticket",
  "smoke-view-ticket",
];
const EVERYTHING = [...DATA_CHECKS, ...ENVIRONMENT_CHECKS, ...SMOKE_CHECKS, "triggers-functioning", "error-log"];

const { plan, fence, install, start } = PHASE_BUDGETS;

export const scopes: Record<string, ScopeDefinition> = {
  full: {
    title: "Full: application, data from the snapshot before the deployment, and the environment of the release",
    useWhen: "Phase 2 does not hold: its data is corrupt, its policies fail, or its core does not work",
    budgetSeconds: TARGET_SECONDS,
    phaseBudgets: PHASE_BUDGETS,
    pins: { release: "to", services: { app: { config: "ledger" } }, data: "snapshot", schema: "keep" },
    checks: EVERYTHING,
  },
  "partial-migration": {
    title: "Partial migration: the down scripts of what was applied, newest first; the data stays, no backup is restored",
    useWhen: "A migration failed half-way: rows of Phase 1 must not be lost to a restore",
    budgetSeconds: TARGET_SECONDS,
    phaseBudgets: PHASE_BUDGETS,
    pins: { release: "to", services: { app: { config: "ledger" } }, data: "current", schema: "down" },
    checks: EVERYTHING,
  },
  application: {
    title: "Application alone; the database stays. Does not suffice while it has the schema of Phase 2",
    useWhen: "The database was never migrated, or goes back next",
    budgetSeconds: PROCEDURE.notification + PROCEDURE.application + PROCEDURE.restart,
    phaseBudgets: {
      plan,
      fence,
      install: PROCEDURE.application - fence,
      start,
      verify: PROCEDURE.restart / 2,
    },
    pins: { services: { app: { release: "to" } }, data: "current", schema: "keep" },
    checks: EVERYTHING,
  },
  environment: {
    title: "Environment alone: the settings the release came with; code and data stay",
    useWhen: "Settings were changed and nothing else is wrong",
    budgetSeconds: PROCEDURE.notification + PROCEDURE.environment + PROCEDURE.restart,
    phaseBudgets: {
      plan,
      install: install - PROCEDURE.application,
      start,
      verify: PROCEDURE.restart / 2,
    },
    pins: { services: { app: { config: "ledger" } }, data: "current", schema: "keep" },
    checks: ["database-select-1", ...ENVIRONMENT_CHECKS, ...SMOKE_CHECKS, "error-log"],
  },
};

/** Checks of an hour's watch: none of them writes. */
export const WATCHED = [
  "database-select-1",
  "phase-2-tables-gone",
  "rls-policies",
  "rls-isolation",
  "smoke-accessible",
  "smoke-health",
  "smoke-login",
  "smoke-tickets",
  "smoke-no-phase-2",
  "error-rate",
];
