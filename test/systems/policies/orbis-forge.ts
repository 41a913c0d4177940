import type { ExpectedPolicy } from "./expected.ts";

export const expected: ExpectedPolicy = {
  deadlines: [0, 120, null, null],
  scopes: { full: 75, selective: 75, application: 75, maintenance: 5 },
  watches: { polls: 15, stability: 120, heightened: 1440 },
  triggers: [
    { of: 0, words: /security/ },
    { of: 0, words: /corrupt/ },
    { of: 1, words: /response|slow|performance/, metric: { timesBaseline: 5 }, forMinutes: 15 },
    { of: 0, words: /core features/ },
    { of: 0, words: /business|operations/ },
  ],
  authorisations: [
    { approvers: ["Technical Lead", "CTO"], agree: "any" },
    { approvers: ["Product Owner", "VP Engineering"], agree: "any" },
    { approvers: ["On-call Engineer"] },
  ],
  escalation: [],
  roles: ["Incident Commander", "Technical Lead", "Database Administrator", "DevOps Engineer", "Product Owner"],
  messages: [
    { channel: "webhook", when: "start", text: "🚨 ROLLBACK INITIATED: OF-BEV Phase 3 Production Issue" },
    { channel: "banner", text: "System maintenance in progress. Please try again in 30 minutes." },
    { channel: "status-page" },
  ],
  records: [
    { words: ["Maintenance Mode Activated", "Incident Commander", "Rollback Reason"] },
    { words: ["Current State Backup", "Backup Hash"] },
    { words: ["Restoration Method", "Restoration Timestamp", "Data Loss Period"] },
    { words: ["Rollback Version", "Rollback Deployment Time", "Verification"] },
    { words: ["MemoryPlugin Anchor", "Archive Timestamp", "Impact Assessment Complete"] },
    { words: ["Maintenance Mode Disabled", "Service Fully Restored", "Monitoring Enhanced"] },
    { words: ["downtime", "affected users", "data loss", "None", "Minimal", "Significant", "financial impact"] },
    { words: ["Maintained", "Compromised", "Restored", "Improved", "Same", "Degraded"] },
    { withinHours: 168, words: ["timeline", "root cause", "contributing factors", "detection gaps", "response effectiveness"] },
    { words: ["went well", "could improve|be improved", "action items", "process updates", "training"] },
    { words: ["issue resolution", "testing", "phased rollout", "monitoring", "rollback readiness", "Ready", "In Progress", "Not Started"] },
    { words: ["Rollback Completion Timestamp", "Total Rollback Duration", "MemoryPlugin Anchor", "Governance Log Reference"] },
  ],
  drills: [],
  targets: [/rollback duration.*2 hours/i, /data loss.*none/i, /service availability.*99/i, /error rate.*0\.1/i, /user impact.*minimal/i],
  order: [/maintenance/i, /restrict|permission/i, /back/i, /restore/i, /application/i, /governance/i, /watch/i],
  words: [/development/i, /product/i, /support/i, /executive/i, /last tested/i],
};
