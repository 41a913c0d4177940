/** The procedures as sets of pins. Application and database go back together; what goes back alone says so. */
import type { ScopeArgs, WatchArgs } from "../../components/define.ts";
import { CHECKS } from "./checks.ts";

const MINUTE = 60;

/** The manual's critical path, seconds, each at its fastest, without the notification afterwards. Its worst case of 21 minutes is not planned with. */
const PROCEDURE = { notification: MINUTE, application: 3 * MINUTE, database: 8 * MINUTE, environment: MINUTE, restart: 2 * MINUTE };

/** Parts of the database's time that belong to other phases of a rollout. */
const DATABASE_STEPS = { stopTraffic: MINUTE / 2, safetyBackup: 2 * MINUTE, verify: 2 * MINUTE };

/**
 * Budget of each phase of a rollout. Traffic stops before the data, the safety copy lies between; application and environment are put in
 * place once the data is back.
 */
const PHASE_BUDGETS = {
  plan: PROCEDURE.notification,
  fence: DATABASE_STEPS.stopTraffic,
  snapshot: DATABASE_STEPS.safetyBackup,
  data: PROCEDURE.database - DATABASE_STEPS.stopTraffic - DATABASE_STEPS.safetyBackup - DATABASE_STEPS.verify / 2,
  install: PROCEDURE.application + PROCEDURE.environment,
  start: PROCEDURE.restart / 2,
  verify: PROCEDURE.restart / 2 + DATABASE_STEPS.verify / 2,
};
const { plan, fence, install, start } = PHASE_BUDGETS;

/** Everything but the samples that a watch takes. */
const EVERYTHING = CHECKS.map(({ id }) => id).filter((id) => id !== "error-rate");
const LEDGER = { app: { config: "ledger" } } as const;
const WHOLE = { budgetSeconds: 15 * MINUTE, phaseBudgets: PHASE_BUDGETS, checks: EVERYTHING };

export const scopes: Record<string, ScopeArgs> = {
  full: {
    title: "Full: application, data from the snapshot before the deployment, and the environment of the release",
    useWhen: "Phase 2 does not hold: its data is corrupt, its policies fail, or its core does not work",
    ...WHOLE,
    pins: { release: "to", services: LEDGER, data: "snapshot", schema: "keep" },
  },
  "partial-migration": {
    title: "Partial migration: the down scripts of what was applied, newest first; the data stays, no backup is restored",
    useWhen: "A migration failed half-way: rows of Phase 1 must not be lost to a restore",
    ...WHOLE,
    pins: { release: "to", services: LEDGER, data: "current", schema: "down" },
  },
  application: {
    title: "Application alone; the database stays. Does not suffice while it has the schema of Phase 2",
    useWhen: "The database was never migrated, or goes back next",
    budgetSeconds: PROCEDURE.notification + PROCEDURE.application + PROCEDURE.restart,
    phaseBudgets: { plan, fence, install: PROCEDURE.application - fence, start, verify: PROCEDURE.restart / 2 },
    pins: { services: { app: { release: "to" } }, data: "current", schema: "keep" },
    checks: EVERYTHING,
  },
  environment: {
    title: "Environment alone: the settings the release came with; code and data stay",
    useWhen: "Settings were changed and nothing else is wrong",
    budgetSeconds: PROCEDURE.notification + PROCEDURE.environment + PROCEDURE.restart,
    phaseBudgets: { plan, install: install - PROCEDURE.application, start, verify: PROCEDURE.restart / 2 },
    pins: { services: LEDGER, data: "current", schema: "keep" },
    checks: EVERYTHING.filter((id) => /^(environment|smoke|error-log)/.test(id)),
  },
};

export const watches: Record<string, WatchArgs> = {
  hour: {
    title: "One hour: error rates and response times as before, nothing new",
    durationMinutes: 60,
    intervalSeconds: 300,
    checks: [
      ...["database-select-1", "phase-2-tables-gone", "rls-policies", "rls-isolation", "smoke-accessible", "smoke-health"],
      ...["smoke-login", "smoke-tickets", "smoke-no-phase-2", "error-rate"],
    ],
    pass: {
      limits: [
        { title: "fewer than 5 % of requests fail", figure: "errors", per: "requests", over: "sum", below: 0.05 },
        { title: "responses faster than 3 s", figure: "medianMs", over: "max", below: 3000 },
      ],
    },
  },
};
