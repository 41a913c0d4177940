/** After a level was taken the line is watched while production resumes step by step. The manual gives no times. */
import type { WatchDefinition } from "../../config/system/definition.ts";

const CHECKS = ["health", "constraints-as-declared", "functionality", "integrity", "triggers-enabled", "health-overview", "continuity"];

export const watches: Record<string, WatchDefinition> = {
  "gradual-restart": {
    title: "Gradual restart: performance and integrity while production resumes",
    after: ["critical", "high", "medium", "low", "full", "restore"],
    durationMinutes: 15,
    intervalSeconds: 60,
    checks: CHECKS,
    pass: {
      healthyShare: 1,
      limits: [{ title: "more than 99 % of requests answered", figure: "errors", per: "requests", over: "sum", below: 0.01 }],
    },
  },
};
