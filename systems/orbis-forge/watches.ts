/** Watches after a rollback, with their limits. Outside the rollback's budget. */
import type { WatchDefinition } from "../../config/system/definition.ts";

const AFTER = ["full", "selective", "transaction", "json-import", "application"];

const ERROR_RATE = { title: "error rate below 0.1 %", figure: "errors", per: "requests", over: "sum", below: 0.001 } as const;

export const watches: Record<string, WatchDefinition> = {
  polls: {
    title: "15 health polls, one a minute, every one healthy",
    after: AFTER,
    durationMinutes: 15,
    intervalSeconds: 60,
    checks: ["health", "stable-load"],
    pass: { healthyShare: 1, limits: [ERROR_RATE] },
  },
  stability: {
    title: "2 hours without errors or degradation; only then is completion declared",
    after: AFTER,
    follows: "polls",
    durationMinutes: 120,
    intervalSeconds: 300,
    checks: ["health", "stable-load", "integrity", "foreign-keys"],
    pass: { healthyShare: 1, limits: [ERROR_RATE] },
  },
  heightened: {
    title: "24 hours of raised monitoring, lowered alert thresholds and extended on-call",
    after: AFTER,
    follows: "stability",
    durationMinutes: 24 * 60,
    intervalSeconds: 900,
    checks: ["health", "stable-load"],
    pass: { healthyShare: 0.99, limits: [ERROR_RATE] },
  },
};
