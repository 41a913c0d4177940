/** Documents after a rollback, and their deadlines. */
import type { RecordTemplate } from "../../config/system/policy.ts";

export const RECORDS: Record<string, RecordTemplate> = {
  "first-hour": {
    title: "Documentation of the incident",
    withinHours: 1,
    sections: {
      Timeline: ["Deployment start", "Issue detected", "Rollback initiated", "Rollback completed", "Total downtime"],
      "Root Cause": ["What broke", "Why it broke", "Why it was not caught in staging"],
      Impact: ["Users affected", "Transactions lost", "Data corrupted", "Revenue impact"],
      "Actions Taken": ["Rollback type", "Database rollback", "Data restoration", "Customer notification"],
    },
    choices: {
      "Rollback type": ["Quick", "Full", "Partial"],
      "Database rollback": ["Yes", "No"],
      "Data restoration": ["Yes", "No"],
      "Customer notification": ["Yes", "No"],
    },
  },
  report: {
    title: "Incident Report: ADR-008 Rollback",
    withinHours: 1,
    file: "docs/incidents/INCIDENT-{date}-rollback.md",
    sections: {
      Incident: ["Incident ID", "Date", "Severity", "Status"],
      Summary: [],
      Timeline: [
        "Deployment started",
        "Issue first detected",
        "Rollback decision made",
        "Rollback initiated",
        "Rollback completed",
        "System verified stable",
      ],
      "Root Cause": [],
      Impact: ["Users", "Downtime", "Data loss"],
      Resolution: [],
      "Lessons Learned": [],
      "Action Items": ["Item", "Owner", "Due date"],
    },
    choices: { Severity: ["P1", "P2", "P3"], Status: ["Resolved", "Investigating"] },
  },
  "three-days": {
    title: "Analysis and prevention",
    withinHours: 72,
    sections: {
      "Root cause analysis": ["Deep analysis", "Detailed timeline", "Contributing factors"],
      "Corrective actions": ["Fix", "Tests", "Staging improved", "Deployment process updated"],
      "Preventive measures": ["Pre-deployment checklist", "Alerts", "Smoke tests", "Documentation"],
      Retrospective: ["What went wrong", "What went right", "What to improve", "Actions assigned"],
    },
  },
};
