/** The human half of the manual as data. Who decides on issues its matrix leaves out is our reading: change it here for an installation. */
import { BEFORE_DEPLOYMENT } from "../../config/system/deployment.ts";
import type { Authorisation, PolicyDefinition, RecordTemplate } from "../../config/system/policy.ts";
import { ERROR_SHARE_LIMIT } from "./checks/error-rate.ts";
import { MEMORY_SHARE_LIMIT } from "./checks/memory.ts";
import { RESPONSE_LIMIT_MS } from "./checks/response-time.ts";
import { MESSAGES } from "./messages.ts";

/** A trial rollback may be as old as this when a release is deployed. */
export const TRIAL_HOURS = 24;
const CHANNEL = "#radiation-system-emergency";

const TEAM = ["System Administrator", "Database Administrator", "DevOps Engineer", "Project Manager"];

const by = (title: string, approvers: string[]): Authorisation => ({ title, approvers, agree: "all", notify: TEAM });

/** The manual's matrix. */
const MATRIX: Record<string, Authorisation> = {
  "system-down": by("System down", ["System Administrator"]),
  "data-corruption": by("Data corruption", ["Database Administrator", "System Administrator"]),
  security: by("Security issue", ["Security Team"]),
  performance: by("Performance beyond 500 ms", ["DevOps Engineer"]),
  "error-rate": by("High error rate", ["DevOps Engineer"]),
  ui: by("UI issues", ["Project Manager"]),
  minor: by("Minor features", ["Project Manager"]),
};

/** Issues the manual's matrix leaves out, decided by the role it names for the nearest one. */
const CONFIGURED: Record<string, Authorisation> = {
  "database-connection": by("Database cannot be reached", ["System Administrator"]),
  "alerts-broken": by("Radiation alerts do not work", ["System Administrator"]),
  memory: by("Memory runs out", ["DevOps Engineer"]),
  "pool-exhaustion": by("Database sessions run out", ["DevOps Engineer"]),
  websocket: by("WebSocket connections fail", ["DevOps Engineer"]),
  monitoring: by("Monitoring-system issues", ["Project Manager"]),
};

const records: Record<string, RecordTemplate> = {
  "immediate-actions": {
    title: "Immediate actions",
    withinHours: 2,
    sections: {
      "Document incident": ["What happened", "When"],
      "Assess impact": ["Users affected", "Data lost"],
      "Stabilise system": ["Checks passed", "Watch of two hours"],
      "Communicate status": ["Who was told", "When"],
    },
  },
  "root-cause": {
    title: "Root cause analysis",
    withinHours: 24,
    sections: {
      "Investigate cause": ["Why the deployment failed"],
      "Identify gaps": ["What could have prevented it"],
      "Update procedures": ["Changes to the rollback procedures"],
      "Plan next deployment": ["When", "How"],
    },
  },
  "lessons-learned": {
    title: "Incident report and lessons learned",
    withinHours: 48,
    sections: {
      "Document findings": ["Incident report"],
      "Update procedures": ["Deployment", "Rollback"],
      "Team training": ["Lessons shared with"],
      "Process improvement": ["Deployment checklist"],
    },
  },
};

export const policy: PolicyDefinition = {
  classes: {
    immediate: {
      title: "Immediate rollback",
      deadlineMinutes: 5,
      deadlineFor: "execute",
      scope: "emergency",
      risk: "People are exposed and nobody knows, or measurements are lost",
      triggers: [
        { id: "system-down", title: "system completely down", severity: "Critical", authorisation: "system-down" },
        { id: "database-connection", title: "database cannot be reached", severity: "Critical", authorisation: "database-connection" },
        { id: "security", title: "critical security vulnerability", severity: "Critical", authorisation: "security", scope: "application" },
        { id: "data-corruption", title: "data corruption", severity: "Critical", authorisation: "data-corruption" },
        // For this system the same as being down.
        { id: "alerts-broken", title: "radiation alerts do not work", severity: "Critical", authorisation: "alerts-broken" },
      ],
    },
    fast: {
      title: "Fast rollback",
      deadlineMinutes: 15,
      deadlineFor: "execute",
      scope: "application",
      triggers: [
        {
          id: "performance",
          title: "responses take more than 500 ms",
          metric: { name: "medianMs", above: RESPONSE_LIMIT_MS },
          severity: "High",
          authorisation: "performance",
        },
        {
          id: "error-rate",
          title: "more than 5 % of requests fail",
          metric: { name: "errorShare", above: ERROR_SHARE_LIMIT },
          severity: "High",
          authorisation: "error-rate",
        },
        {
          id: "memory",
          title: "more than 95 % of memory is used",
          metric: { name: "memoryShare", above: MEMORY_SHARE_LIMIT },
          severity: "High",
          authorisation: "memory",
          scope: "service",
        },
        { id: "pool-exhaustion", title: "database sessions run out", severity: "High", authorisation: "pool-exhaustion" },
        { id: "websocket", title: "WebSocket connections fail", severity: "High", authorisation: "websocket", scope: "service" },
      ],
    },
    planned: {
      title: "Planned rollback",
      deadlineMinutes: 60,
      deadlineFor: "execute",
      scope: "application",
      triggers: [
        { id: "minor-functionality", title: "minor functionality", severity: "Low", authorisation: "minor" },
        { id: "ui", title: "user interface", severity: "Medium", authorisation: "ui" },
        { id: "feature", title: "a feature that is not critical fails", severity: "Low", authorisation: "minor" },
        {
          id: "monitoring",
          title: "issues of the monitoring system",
          severity: "Medium",
          authorisation: "monitoring",
          scope: "monitoring-config",
        },
      ],
    },
  },
  authorisations: { ...MATRIX, ...CONFIGURED },
  defaultAuthorisation: "system-down",
  escalation: [
    { role: "Primary Rollback Team", afterMinutes: 0, level: 1 },
    { role: "Senior Management", afterMinutes: 15, level: 2 },
    { role: "Executive Leadership", afterMinutes: 30, level: 3 },
  ],
  coverage: [
    { when: "business hours", roles: ["Primary Rollback Team"] },
    { when: "after hours", roles: ["On-Call Engineer", "Escalation"] },
    { when: "weekends", roles: ["On-Call Team", "Emergency Contacts"] },
  ],
  roles: TEAM,
  notifications: [
    {
      when: BEFORE_DEPLOYMENT,
      channel: "chat",
      text: `${CHANNEL}: {from} → {to} is about to be deployed ({reason}); the rollback team stands by`,
      to: TEAM,
    },
    { when: "start", channel: "sms", text: "Rollback of Radiation Health Monitoring has begun: {reason}. Incident {incident}", to: TEAM },
    { when: "start", channel: "email", text: "Rollback of Radiation Health Monitoring has begun: {reason}. Incident {incident}", to: TEAM },
    { when: "start", channel: "status-page", text: MESSAGES.rollback },
    { when: "start", channel: "chat", text: `${CHANNEL}: {from} → {to} because of {reason}`, to: ["Project Management"] },
    {
      when: "progress",
      everyMinutes: 15,
      channel: "chat",
      text: "Rollback Progress: {step}, expected to be complete in {eta}",
      fields: ["Rollback Progress", "System Status", "Next Steps", "Timeline"],
      to: TEAM,
    },
    {
      when: "done",
      channel: "email",
      text: "Rollback to {to} completed after {duration}. Incident {incident}",
      fields: ["Rollback Summary", "System Status", "Next Actions", "Lessons Learned"],
      to: TEAM,
    },
    { when: "failed", channel: "sms", text: "Rollback to {to} has failed at {step}. Incident {incident}", to: TEAM },
  ],
  checklists: {
    "before deployment": ["Create database backup", "Tag what runs", "Save configuration", "Try the rollback", "Tell the rollback team"],
    "during rollback": [
      "Stop all services",
      "Carry the rollback out",
      "Verify system health",
      "Send status updates",
      "Document every action",
    ],
    "after rollback": [
      "Complete the health checks",
      "Tell stakeholders",
      "Document the incident",
      "Plan the next deployment",
      "Update procedures",
    ],
  },
  drills: [
    {
      title: "Rollback procedures in staging",
      everyDays: 30,
      steps: ["Deploy to staging", "Take it back", "Record the time of each step", "Verify that nothing was lost"],
    },
    {
      title: "Full simulation with the team",
      everyDays: 91,
      steps: ["Simulate an incident", "Decide", "Take it back", "Try the communication too"],
    },
    {
      title: "Trial before a deployment",
      everyDays: null,
      hoursBeforeDeployment: TRIAL_HOURS,
      steps: ["Deploy to staging", "Take it back"],
    },
  ],
  records,
  targets: {
    "immediate rollback": "< 5 minutes",
    "fast rollback": "< 15 minutes",
    "planned rollback": "< 60 minutes",
    "response time": "< 500 ms",
    "error rate": "≤ 5 %",
    memory: "< 95 %",
  },
  order: ["Stop all five services", "Data, where it is needed", "Code", "Configuration", "Start", "Checks", "Tell"],
  reviews: [{ title: "Rollback procedures", everyDays: 30 }],
};
