/** When to roll back, who may decide it, who is told what: data for the human half. Nothing the core needs. */

export interface TriggerClass {
  title: string;
  /** Time to act, minutes; null where nothing has to be rolled back. */
  deadlineMinutes: number | null;
  /** Any one of these suffices. `forMinutes`: how long it must have lasted. */
  triggers: { id: string; title: string; metric?: { name: string; above?: number; below?: number; growing?: true }; forMinutes?: number }[];
}

/** Most severe first: where several classes match, the first one counts. */
export const TRIGGER_CLASSES: Record<"immediate" | "scheduled" | "monitor", TriggerClass> = {
  immediate: {
    title: "Immediate rollback",
    deadlineMinutes: 5,
    triggers: [
      { id: "security", title: "critical security vulnerability" },
      { id: "corruption", title: "corrupt or lost data" },
      { id: "outage", title: "complete outage", forMinutes: 5 },
      { id: "error-rate-high", title: "error rate above 10 %", metric: { name: "errorShare", above: 0.1 }, forMinutes: 5 },
      { id: "database-unreachable", title: "no operation can reach the database" },
      { id: "pems-authentication", title: "no authentication at the PEMS API succeeds" },
    ],
  },
  scheduled: {
    title: "Scheduled rollback",
    deadlineMinutes: 30,
    triggers: [
      { id: "error-rate", title: "error rate of 1 to 10 %", metric: { name: "errorShare", above: 0.01 }, forMinutes: 15 },
      {
        id: "sync-success",
        title: "fewer than 90 % of synchronisations succeed",
        metric: { name: "syncSuccessShare", below: 0.9 },
        forMinutes: 30,
      },
      {
        id: "queue",
        title: "queue above 1000 rows and growing",
        metric: { name: "queueRows", above: 1000, growing: true },
        forMinutes: 30,
      },
      { id: "memory", title: "memory leak that ends the process more often than every 30 minutes" },
      { id: "feature", title: "a critical feature does not work at all" },
      { id: "alerts", title: "several P1 alerts at once" },
    ],
  },
  monitor: {
    title: "Watch and mend",
    deadlineMinutes: null,
    triggers: [
      { id: "errors-low", title: "error rate below 1 %, data sound" },
      { id: "slow", title: "slower, but working" },
      { id: "minor", title: "a feature that is not critical" },
      { id: "fix-soon", title: "a fix can be deployed within 2 hours" },
    ],
  },
};

/** Everybody in `approvers` has to agree. */
export const AUTHORISATIONS: Record<string, { title: string; approvers: string[]; notify: string[] }> = {
  "production-p1": {
    title: "P1 alert in production",
    approvers: ["On-Call Engineer", "DevSecOps Lead"],
    notify: ["Product Owner", "Team"],
  },
  "staging-critical": { title: "critical issue in staging", approvers: ["On-Call Engineer"], notify: ["DevSecOps Lead"] },
  security: { title: "security incident", approvers: ["Security Team", "DevSecOps Lead"], notify: ["Legal", "Executives", "Customers"] },
  corruption: { title: "data corruption", approvers: ["DevSecOps Lead", "Database Admin"], notify: ["Product Owner", "Compliance"] },
};

export const NOTIFICATIONS = {
  channel: "#incidents",
  quickStart: "🔴 ROLLBACK IN PROGRESS: {deployment} rolled back to {to} due to {reason}. ETA: {eta}. Incident: {incident}",
  quickStatusPage: "Investigating - Rollback in progress",
  fullStart: "🔴 SYSTEM OFFLINE: Full rollback initiated",
  fullStatusPage: "Emergency maintenance in progress",
  logWorkerStopped: "Sync worker stopped for rollback - Ticket: {incident}",
  logCompleted: "Rollback to {to} completed - Duration: {duration} - Ticket: {incident}",
} as const;

/** How long to watch, minutes, and what the watch has to hold to. Outside the scopes' budgets. */
export const WATCH = { quickMinutes: 15, fullMinutes: 30, errorShareLimit: 0.005 } as const;

export const DRILLS = { everyMonths: 3, soakMinutes: 60 } as const;
