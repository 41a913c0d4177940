/**
 * The procedures of the rollback plan as sets of pins. Budgets of `quick`, `full` and `restore` are the plan's; it gives none for the
 * partial scopes, so theirs are the sums of their steps in the quick procedure.
 */
import type { ScopeArgs, WatchArgs } from "../../components/define.ts";
import type { WatchLimit } from "../../config/system/definition.ts";
import { SYNC_DISABLED, SYNC_FLAG } from "./api.ts";
import { CHECKS } from "./checks.ts";

const MINUTE = 60;
/** Steps of the quick procedure, seconds. */
const QUICK = { stopWorker: MINUTE, backend: 3 * MINUTE, health: 2 * MINUTE, frontend: 2 * MINUTE, announce: 2 * MINUTE };
/** Steps of the full procedure, seconds. */
const FULL = { stopAll: 2 * MINUTE, database: 10 * MINUTE, code: 5 * MINUTE, deploy: 8 * MINUTE, verify: 5 * MINUTE };
const FULL_PHASES = { fence: FULL.stopAll, data: FULL.database, install: FULL.code, start: FULL.deploy, verify: FULL.verify };

const FRONTEND_CHECKS = ["frontend-version", "frontend-compatible"];
const CODE = { data: "current", schema: "keep" } as const;
const WORKER_OFF = { worker: { run: "off" } } as const;

export const scopes: Record<string, ScopeArgs> = {
  quick: {
    title: "Quick: code of all services; data and schema stay",
    useWhen: "The deployment is clearly broken and its data is intact",
    budgetSeconds: 10 * MINUTE,
    phaseBudgets: { fence: QUICK.stopWorker, install: QUICK.backend + QUICK.frontend, verify: QUICK.health, finalize: QUICK.announce },
    pins: { release: "to", services: WORKER_OFF, ...CODE },
  },
  full: {
    title: "Full: code, and the migration marked as rolled back; its tables stay",
    useWhen: "The newer schema must not count as applied, and its rows are not corrupt",
    budgetSeconds: 30 * MINUTE,
    phaseBudgets: FULL_PHASES,
    pins: { release: "to", services: WORKER_OFF, data: "current", schema: "mark" },
  },
  restore: {
    title: "Restore: code, and the data from the snapshot before the deployment",
    useWhen: "Data is corrupt or lost",
    budgetSeconds: 30 * MINUTE,
    phaseBudgets: FULL_PHASES,
    pins: { release: "to", services: WORKER_OFF, data: "snapshot", schema: "keep" },
  },
  worker: {
    title: "Partial A: the sync worker stops, synchronisation is switched off, the system is read-only",
    useWhen: "Synchronisation is broken and everything else works",
    budgetSeconds: QUICK.stopWorker + QUICK.health + QUICK.announce,
    phaseBudgets: { fence: QUICK.stopWorker, verify: QUICK.health, finalize: QUICK.announce },
    pins: {
      services: WORKER_OFF,
      ...CODE,
      flags: { [SYNC_FLAG]: false },
      maintenance: { mode: "read-only", message: SYNC_DISABLED },
    },
    checks: ["worker-stopped", "health", "login", "read", "flags-as-declared", "banner", ...FRONTEND_CHECKS],
  },
  backend: {
    title: "Partial B: backend code only; the worker stops first",
    useWhen: "The API fails, and the newer frontend can work with the older API",
    budgetSeconds: QUICK.stopWorker + QUICK.backend + QUICK.health + QUICK.announce,
    phaseBudgets: { fence: QUICK.stopWorker, install: QUICK.backend, verify: QUICK.health, finalize: QUICK.announce },
    pins: { services: { backend: { release: "to" }, ...WORKER_OFF }, ...CODE },
    checks: CHECKS.map(({ id }) => id).filter((id) => id !== "banner"),
  },
  frontend: {
    title: "Partial C: frontend only; nothing stops",
    useWhen: "The pages fail and the API works",
    budgetSeconds: QUICK.frontend + QUICK.health + QUICK.announce,
    phaseBudgets: { install: QUICK.frontend, verify: QUICK.health, finalize: QUICK.announce },
    pins: { services: { frontend: { release: "to" } }, ...CODE },
    checks: ["health", "login", "read", ...FRONTEND_CHECKS],
  },
};

/** The acceptance gate of 0.5 %; the stricter 0.1 % of the checklist is the aim of its single check. */
const LIMITS: WatchLimit[] = [
  { title: "error share over the whole time", figure: "errors", per: "requests", over: "sum", below: 0.005 },
  { title: "no new alert", figure: "alerts", over: "sum", below: 1 },
  { title: "median response time, ms", figure: "medianMs", over: "max", below: 500 },
  { title: "memory does not grow, bytes", figure: "rssBytes", over: "growth", below: 128 * 2 ** 20 },
];

/** Before a rollback counts as a success, and after a deployment. Outside the scopes' budgets. */
const watch = (title: string, after: string[], minutes: number, pass: WatchArgs["pass"] = { limits: LIMITS }): WatchArgs => ({
  ...{ title, after, pass },
  durationMinutes: minutes,
  intervalSeconds: minutes === 15 ? 60 : 120,
  checks: ["worker-stopped", "health", "read", "frontend-version", "watch-sample"],
});

export const watches: Record<string, WatchArgs> = {
  quick: watch("15 minutes before a rollback of code counts as a success", ["quick", "worker", "backend", "frontend"], 15),
  stable: watch("30 minutes before a rollback of code and data counts as a success", ["full", "restore"], 30),
  // The worker may be busy with a backlog: one poll in ten may be slow.
  soak: watch("an hour after a deployment", ["deploy"], 60, { healthyShare: 0.9, limits: LIMITS.slice(0, 2) }),
};
