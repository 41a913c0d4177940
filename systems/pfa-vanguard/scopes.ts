/**
 * The procedures of the rollback plan as sets of pins. Budgets of `quick`, `full` and `restore` are the plan's; it gives none for the
 * partial scopes, so theirs are the sums of their steps in the quick procedure.
 */
import type { ScopeDefinition } from "../../config/system/definition.ts";
import { MESSAGES, SYNC_FLAG } from "./messages.ts";

const MINUTE = 60;
/** Steps of the quick procedure, seconds. */
const QUICK = { stopWorker: MINUTE, backend: 3 * MINUTE, health: 2 * MINUTE, frontend: 2 * MINUTE, announce: 2 * MINUTE };
/** Steps of the full procedure, seconds. */
const FULL = { stopAll: 2 * MINUTE, database: 10 * MINUTE, code: 5 * MINUTE, deploy: 8 * MINUTE, verify: 5 * MINUTE };
const FULL_PHASES = { fence: FULL.stopAll, data: FULL.database, install: FULL.code, start: FULL.deploy, verify: FULL.verify };

const BACKEND_CHECKS = [
  "worker-stopped",
  "health",
  "login",
  "read",
  "count",
  "new-tables-remain",
  "flags-as-declared",
  "write",
  "uat",
  "latency-and-error-rate",
  "error-log",
  "watch-sample",
];
const FRONTEND_CHECKS = ["frontend-version", "frontend-compatible"];

export const scopes: Record<string, ScopeDefinition> = {
  quick: {
    title: "Quick: code of all services; data and schema stay",
    useWhen: "The deployment is clearly broken and its data is intact",
    budgetSeconds: 10 * MINUTE,
    phaseBudgets: { fence: QUICK.stopWorker, install: QUICK.backend + QUICK.frontend, verify: QUICK.health, finalize: QUICK.announce },
    pins: { release: "to", services: { worker: { run: "off" } }, data: "current", schema: "keep" },
    checks: [...BACKEND_CHECKS, ...FRONTEND_CHECKS, "banner"],
  },
  full: {
    title: "Full: code, and the migration marked as rolled back; its tables stay",
    useWhen: "The newer schema must not count as applied, and its rows are not corrupt",
    budgetSeconds: 30 * MINUTE,
    phaseBudgets: FULL_PHASES,
    pins: { release: "to", services: { worker: { run: "off" } }, data: "current", schema: "mark" },
    checks: [...BACKEND_CHECKS, ...FRONTEND_CHECKS, "banner"],
  },
  restore: {
    title: "Restore: code, and the data from the snapshot before the deployment",
    useWhen: "Data is corrupt or lost",
    budgetSeconds: 30 * MINUTE,
    phaseBudgets: FULL_PHASES,
    pins: { release: "to", services: { worker: { run: "off" } }, data: "snapshot", schema: "keep" },
    checks: [...BACKEND_CHECKS, ...FRONTEND_CHECKS, "banner"],
  },
  worker: {
    title: "Partial A: the sync worker stops, synchronisation is switched off, the system is read-only",
    useWhen: "Synchronisation is broken and everything else works",
    budgetSeconds: QUICK.stopWorker + QUICK.health + QUICK.announce,
    phaseBudgets: { fence: QUICK.stopWorker, verify: QUICK.health, finalize: QUICK.announce },
    pins: {
      services: { worker: { run: "off" } },
      data: "current",
      schema: "keep",
      flags: { [SYNC_FLAG]: false },
      maintenance: { mode: "read-only", message: MESSAGES.syncDisabled },
    },
    checks: ["worker-stopped", "health", "login", "read", "flags-as-declared", "banner", ...FRONTEND_CHECKS],
  },
  backend: {
    title: "Partial B: backend code only; the worker stops first",
    useWhen: "The API fails, and the newer frontend can work with the older API",
    budgetSeconds: QUICK.stopWorker + QUICK.backend + QUICK.health + QUICK.announce,
    phaseBudgets: { fence: QUICK.stopWorker, install: QUICK.backend, verify: QUICK.health, finalize: QUICK.announce },
    pins: { services: { backend: { release: "to" }, worker: { run: "off" } }, data: "current", schema: "keep" },
    checks: [...BACKEND_CHECKS, ...FRONTEND_CHECKS],
  },
  frontend: {
    title: "Partial C: frontend only; nothing stops",
    useWhen: "The pages fail and the API works",
    budgetSeconds: QUICK.frontend + QUICK.health + QUICK.announce,
    phaseBudgets: { install: QUICK.frontend, verify: QUICK.health, finalize: QUICK.announce },
    pins: { services: { frontend: { release: "to" } }, data: "current", schema: "keep" },
    checks: ["health", "login", "read", ...FRONTEND_CHECKS],
  },
};
