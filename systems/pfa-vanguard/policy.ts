/** When to roll back, who decides, who is notified of what, how it is rehearsed: data for the human half. The core does not need it. */
import type { PolicyDefinition } from "../../config/system/policy.ts";
import { MESSAGES } from "./messages.ts";
import { RECORDS } from "./records.ts";

const QUICK = ["quick", "worker", "backend", "frontend"];
const FULL = ["full", "restore"];

export const policy: PolicyDefinition = {
  classes: {
    immediate: {
      title: "Immediate rollback",
      deadlineMinutes: 5,
      deadlineFor: "execute",
      scope: "quick",
      authorisation: "production-p1",
      triggers: [
        { id: "security", title: "critical security vulnerability", authorisation: "security" },
        { id: "corruption", title: "corrupt or lost data", scope: "restore", authorisation: "corruption" },
        { id: "outage", title: "complete outage", metric: { name: "errorShare", above: 0.99 }, forMinutes: 5 },
        { id: "error-rate-high", title: "error rate above 10 %", metric: { name: "errorShare", above: 0.1 }, forMinutes: 5 },
        { id: "database-unreachable", title: "no operation can reach the database" },
        { id: "pems-authentication", title: "no authentication at the PEMS API succeeds", scope: "worker" },
      ],
    },
    scheduled: {
      title: "Scheduled rollback",
      deadlineMinutes: 30,
      deadlineFor: "plan",
      scope: "quick",
      authorisation: "production-p1",
      triggers: [
        { id: "error-rate", title: "error rate of 1 to 10 %", metric: { name: "errorShare", above: 0.01 }, forMinutes: 15 },
        {
          id: "sync-success",
          title: "fewer than 90 % of synchronisations succeed",
          metric: { name: "syncSuccessShare", below: 0.9 },
          forMinutes: 30,
          scope: "worker",
        },
        {
          id: "queue",
          title: "queue above 1000 rows and growing",
          metric: { name: "queueRows", above: 1000, growing: true },
          forMinutes: 30,
          scope: "worker",
        },
        { id: "memory", title: "memory leak that ends the process more often than every 30 minutes" },
        { id: "feature", title: "a critical feature does not work at all" },
        { id: "alerts", title: "several P1 alerts at once" },
      ],
    },
    monitor: {
      title: "Watch and mend",
      deadlineMinutes: null,
      scope: null,
      triggers: [
        { id: "errors-low", title: "error rate below 1 %, data sound", metric: { name: "errorShare", below: 0.01 } },
        { id: "slow", title: "slower, but working" },
        { id: "minor", title: "a feature that is not critical" },
        { id: "fix-soon", title: "a fix can be deployed within 2 hours" },
      ],
    },
  },
  // Rates of 1 to 10 % that have not lasted yet are in no class: they are watched.
  otherwise: "monitor",
  authorisations: {
    "production-p1": {
      title: "P1 alert in production",
      approvers: ["On-Call Engineer", "DevSecOps Lead"],
      agree: "all",
      notify: ["Product Owner", "Team"],
    },
    "staging-critical": {
      title: "critical issue in staging",
      approvers: ["On-Call Engineer"],
      agree: "all",
      when: "in staging",
      notify: ["DevSecOps Lead"],
    },
    security: {
      title: "security incident",
      approvers: ["Security Team", "DevSecOps Lead"],
      agree: "all",
      notify: ["Legal", "Executives", "Customers"],
    },
    corruption: {
      title: "data corruption",
      approvers: ["DevSecOps Lead", "Database Admin"],
      agree: "all",
      notify: ["Product Owner", "Compliance"],
    },
  },
  defaultAuthorisation: "production-p1",
  // The plan names nobody who is called later: who decides is called at once.
  escalation: [],
  roles: ["On-Call Engineer", "DevSecOps Lead", "Security Team", "Database Admin"],
  notifications: [
    { when: "start", channel: "status-page", text: MESSAGES.quickStatusPage, scopes: QUICK },
    { when: "start", channel: "chat", text: MESSAGES.quickStart, scopes: QUICK, to: ["#incidents"] },
    { when: "start", channel: "status-page", text: MESSAGES.maintenance, scopes: FULL },
    { when: "start", channel: "chat", text: MESSAGES.fullStart, scopes: FULL, to: ["#incidents"] },
    { when: "fenced", channel: "log", text: MESSAGES.logWorkerStopped },
    { when: "done", channel: "log", text: MESSAGES.logCompleted },
    { when: "done", channel: "banner", text: MESSAGES.syncDisabled, scopes: ["worker"] },
  ],
  drills: [
    {
      title: "Rehearsal in staging",
      everyDays: 91,
      soakMinutes: 60,
      steps: [
        "Announce: Rollback drill scheduled for YYYY-MM-DD at HH:MM",
        "Deploy the newer release to staging as DEPLOYMENT_RUNBOOK.md says",
        "Let it run for an hour",
        "Roll back",
        "Time every step, actual against documented",
        "Find gaps and update the documents",
        "Retrospective",
      ],
      passWhen: ["Every step within its documented time"],
    },
  ],
  tracked: ["Last Rollback Date: Never (initial deployment)", "Last Drill Date", "Next Drill Date"],
  records: RECORDS,
  targets: { "quick rollback": "< 10 min", "full rollback": "< 30 min", "error rate": "< 0.1 %, accepted below 0.5 % over 30 min" },
  completion: [
    "All health endpoints healthy",
    "Error rate below 0.5 % for 30 minutes",
    "No P1 or P2 alerts",
    "Acceptance test passed",
    "No data lost",
    "Performance as before the deployment",
  ],
  order: ["worker stops", "backend stops", "database", "code", "backend starts", "frontend", "after success: tables dropped"],
  reviews: [{ title: "Rollback plan", when: "after each rehearsal" }],
};
