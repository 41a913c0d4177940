/** Watches after a rollback, before it counts as a success, and after a deployment. Outside the scopes' budgets. */
import type { WatchDefinition, WatchLimit } from "../../config/system/definition.ts";

/** The acceptance gate; the stricter 0.1 % of the checklist is the aim of its single check. */
const ERROR_SHARE_LIMIT = 0.005;
const MEBIBYTE = 2 ** 20;

const LIMITS: WatchLimit[] = [
  { title: "error share over the whole time", figure: "errors", per: "requests", over: "sum", below: ERROR_SHARE_LIMIT },
  { title: "no new alert", figure: "alerts", over: "sum", below: 1 },
  { title: "median response time, ms", figure: "medianMs", over: "max", below: 500 },
  { title: "memory does not grow, bytes", figure: "rssBytes", over: "growth", below: 128 * MEBIBYTE },
];
const CHECKS = ["worker-stopped", "health", "read", "frontend-version", "watch-sample"];

export const watches: Record<string, WatchDefinition> = {
  quick: {
    title: "15 minutes before a rollback of code counts as a success",
    after: ["quick", "worker", "backend", "frontend"],
    durationMinutes: 15,
    intervalSeconds: 60,
    checks: CHECKS,
    pass: { healthyShare: 1, limits: LIMITS },
  },
  stable: {
    title: "30 minutes before a rollback of code and data counts as a success",
    after: ["full", "restore"],
    durationMinutes: 30,
    intervalSeconds: 120,
    checks: CHECKS,
    pass: { healthyShare: 1, limits: LIMITS },
  },
  soak: {
    title: "an hour after a deployment",
    after: ["deploy"],
    durationMinutes: 60,
    intervalSeconds: 120,
    checks: CHECKS,
    // The worker may be busy with a backlog: one poll in ten may be slow.
    pass: { healthyShare: 0.9, limits: LIMITS.slice(0, 2) },
  },
};
