/** When to roll back, who decides, who is notified, what is written down: data for the human half. */
import type { PolicyDefinition } from "../../config/system/policy.ts";
import { MESSAGES } from "./messages.ts";
import { RECORDS } from "./records.ts";

export const policy: PolicyDefinition = {
  classes: {
    critical: {
      title: "Critical: immediate rollback",
      deadlineMinutes: 0,
      deadlineFor: "decide",
      decisionMinutes: 0,
      scope: "full",
      action: "roll back at once",
      triggers: [
        { id: "corruption", title: "the database is corrupt" },
        { id: "unavailable", title: "the application is unavailable", metric: { name: "unavailableMinutes", above: 5 } },
        { id: "data-loss", title: "users' data is lost or corrupt" },
        { id: "breach", title: "somebody got in who may not" },
        { id: "migration-failed", title: "a migration failed with errors", scope: "partial-migration" },
      ],
    },
    major: {
      title: "Major: rollback within 30 minutes, unless a quick fix is there",
      deadlineMinutes: 30,
      deadlineFor: "decide",
      decisionMinutes: 30,
      fixFirstMinutes: 15,
      scope: "full",
      action: "roll back where there is no quick fix; else try it, 15 minutes at most",
      triggers: [
        { id: "error-rate", title: "more than 5 % of requests fail", metric: { name: "errorShare", above: 0.05 } },
        { id: "slow", title: "responses take more than 3 s, consistently", metric: { name: "responseMs", above: 3000 } },
        { id: "workflow", title: "a core workflow does not work" },
        { id: "bugs", title: "more than 3 critical bugs in the first hour", metric: { name: "criticalBugs", above: 3 }, forMinutes: 60 },
        { id: "rls", title: "row level security fails: access that is not allowed is possible" },
      ],
    },
    minor: {
      title: "Minor: no rollback",
      deadlineMinutes: null,
      scope: null,
      action: "log it for a fix after the deployment",
      triggers: [
        { id: "single-bug", title: "a single bug that is not critical" },
        { id: "interface", title: "a minor defect of the user interface" },
        { id: "few-users", title: "performance suffers for fewer than 10 % of users", metric: { name: "affectedShare", below: 0.1 } },
        { id: "feature", title: "a feature that is not critical" },
        { id: "email", title: "mail arrives late" },
      ],
    },
  },
  assessment: {
    minutes: 5,
    fields: ["Severity", "Users Affected %", "Systems Impacted", "Data at Risk", "Quick Fix Available (minutes)"],
  },
  authorisations: {
    deployment: {
      title: "Rollback of a deployment",
      approvers: ["Deployment Lead"],
      agree: "any",
      standIns: { "Deployment Lead": ["Technical Lead", "Product Manager"] },
      notify: ["Team", "Stakeholders", "On-call Support"],
    },
  },
  defaultAuthorisation: "deployment",
  escalation: [
    { role: "Primary contact", afterMinutes: 5, level: 1 },
    { role: "Backup contact", afterMinutes: 10, level: 2 },
    { role: "Executive", afterMinutes: 30, level: 3 },
  ],
  roles: ["Deployment Lead", "Database Administrator", "Application Administrator", "Communications Lead"],
  notifications: [
    { when: "start", channel: "chat", text: MESSAGES.chatStart, to: ["Team"] },
    { when: "start", channel: "email", text: MESSAGES.emailStart, to: ["Stakeholders"] },
    { when: "start", channel: "status-page", text: MESSAGES.maintenance },
    { when: "start", channel: "chat", text: MESSAGES.chatStart, to: ["On-call Support"] },
    { when: "done", channel: "chat", text: MESSAGES.chatDone, to: ["Team"] },
    { when: "done", channel: "email", text: MESSAGES.emailDone, to: ["Stakeholders"] },
    { when: "done", channel: "status-page", text: MESSAGES.statusDone },
  ],
  checklists: {
    detection: ["Supabase Studio logs", "/api/health", "User reports", "Performance metrics"],
    notification: ["Team chat", "Email", "Status page", "On-call support"],
    afterwards: ["Team notified", "Stakeholders informed", "Status page operational", "Post-mortem scheduled"],
    drill: ["Announced", "All take part", "Each phase timed", "Issues documented", "Procedures updated", "Next drill scheduled"],
  },
  drills: [
    {
      title: "Rehearsal before a production deployment",
      everyDays: null,
      hoursBeforeDeployment: 24,
      steps: [
        "Deploy Phase 2 to staging",
        "Create the backup",
        "Inject a simulated critical issue",
        "Roll back",
        "Time each phase",
        "Document what was found",
      ],
      passWhen: [
        "The procedure was followed",
        "No command failed",
        "Completed within 15 minutes",
        "The system is stable",
        "Everybody knows their role",
        "The documents are accurate",
      ],
    },
    {
      title: "Quarterly drill",
      everyDays: 91,
      steps: [
        "Choose a time of low traffic",
        "Deploy a test version to staging",
        "Full rollback",
        "Time each phase",
        "Lessons learned",
        "Update the procedures",
      ],
    },
  ],
  tracked: ["Last Tested", "Next drill"],
  records: RECORDS,
  targets: {
    "recovery time": "15 min, at most 21 min",
    "recovery point": "the backup before the deployment",
    decision: "within 30 min, counted apart",
  },
  order: ["application", "traffic stopped", "safety backup", "database", "environment", "restart", "smoke tests", "announcement"],
  reviews: [{ title: "Rollback procedures", when: "before each deployment" }],
};
