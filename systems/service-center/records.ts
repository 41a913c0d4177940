/** What is written down after a rollback, and by when. */
import type { RecordTemplate } from "../../config/system/policy.ts";

export const RECORDS: Record<string, RecordTemplate> = {
  immediate: {
    title: "Within one hour",
    withinHours: 1,
    sections: {
      Monitor: ["Error rates back to baseline", "Performance", "User feedback", "New issues"],
      Evidence: [
        "Logs of the failed deployment",
        "Database query logs",
        "Screenshots of errors",
        "Backup of the state before the rollback",
      ],
      Incident: ["Trigger", "Timeline", "Impact", "Root cause, if known"],
    },
  },
  shortTerm: {
    title: "Within 24 hours",
    withinHours: 24,
    sections: {
      "Root cause": ["Class"],
      Fix: ["Hotfix branch", "Tests", "Tested in staging"],
      Communication: ["Detailed report to stakeholders", "Progress updates"],
    },
    choices: { Class: ["code bug", "migration error", "configuration", "environment", "user error"] },
  },
  longTerm: {
    title: "Within one week",
    withinHours: 168,
    sections: {
      "Post-mortem": ["What happened", "Improvements", "Deployment procedures", "Rollback procedures"],
      "Process improvements": ["Automated checks", "Alerting", "Smoke test coverage", "Documentation"],
      "Re-deployment": ["Window", "All fixes tested", "Checklist reviewed", "Rehearsal"],
    },
  },
};
