/** What is watched after a rollback, and what it has to keep to. */
import type { WatchDefinition } from "../../config/system/definition.ts";
import { WATCHED } from "./scopes.ts";

export const watches: Record<string, WatchDefinition> = {
  hour: {
    title: "One hour: error rates and response times as before, nothing new",
    after: ["full", "partial-migration", "application", "environment"],
    durationMinutes: 60,
    intervalSeconds: 300,
    checks: WATCHED,
    pass: {
      healthyShare: 1,
      limits: [
        { title: "fewer than 5 % of requests fail", figure: "errors", per: "requests", over: "sum", below: 0.05 },
        { title: "responses faster than 3 s", figure: "medianMs", over: "max", below: 3000 },
      ],
    },
  },
};
