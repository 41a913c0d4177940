/** What the rollback is measured by: to service restoration, since completion as such is declared two stable hours later. */
import type { CompletionDefinition } from "../../config/system/completion.ts";
import { burst, login } from "./api.ts";

const HOUR = 3600;
const READS = 100;
const POLLS = 20;

export const completion: CompletionDefinition = {
  targets: [
    { metric: "rollbackSeconds", title: "Rollback Duration", below: 2 * HOUR, unit: "s" },
    { metric: "rowsLost", title: "Data Loss", atMost: 0, unit: "rows" },
    { metric: "availableShare", title: "Service Availability", above: 0.99, unit: "share" },
    { metric: "errorShare", title: "Error Rate", below: 0.001, unit: "share" },
  ],
  measure: async (context) => {
    let answered = 0;
    for (let poll = 0; poll < POLLS; poll++) {
      const response = await context.fetch(`${context.url("app")}/health`).catch(() => null);
      if (response?.status === 200) answered += 1;
      await response?.text();
    }
    const { requests, errors } = await burst(context, await login(context), "/api/projects?limit=20", READS, 4);
    return { availableShare: answered / POLLS, errorShare: errors / requests };
  },
};
