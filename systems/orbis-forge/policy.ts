/** When to roll back, who decides it, who is notified of what, what is written down: data for people and for the decision code. */
import type { PolicyDefinition } from "../../config/system/policy.ts";
import { MESSAGES } from "./messages.ts";

const HOUR = 60;
const DAY_HOURS = 24;

/**
 * The plan names a primary and a secondary approval and does not say whether one suffices. `true`: nobody rolls back without both, except in an
 * emergency, where an engineer on call with incident commander authority decides alone.
 */
const PRIMARY_AND_SECONDARY_REQUIRED = true;

const PRIMARY = ["Technical Lead", "CTO"];
const SECONDARY = ["Product Owner", "VP Engineering"];

export const policy: PolicyDefinition = {
  classes: {
    P1: {
      title: "P1: high impact, critical business risk",
      deadlineMinutes: 0,
      deadlineFor: "execute",
      scope: "full",
      impact: "High",
      risk: "Critical",
      action: "IMMEDIATE",
      authorisation: "emergency",
      triggers: [
        { id: "security", title: "critical security vulnerability: data exposed or breached" },
        { id: "corruption", title: "data corrupt beyond repair" },
        { id: "core-features", title: "core features do not work at all" },
        { id: "business-critical", title: "operations cannot continue with this deployment" },
      ],
    },
    P2: {
      title: "P2: medium impact, high business risk",
      deadlineMinutes: 2 * HOUR,
      deadlineFor: "execute",
      scope: "application",
      impact: "Medium",
      risk: "High",
      action: "within 2 hours",
      authorisation: "primary",
      triggers: [
        {
          id: "performance",
          title: "response times above five times the baseline",
          metric: { name: "responseMs", timesBaseline: 5 },
          forMinutes: 15,
        },
      ],
    },
    P3: {
      title: "P3: low impact, medium business risk",
      deadlineMinutes: null,
      deadlineFor: "window",
      scope: "selective",
      impact: "Low",
      risk: "Medium",
      action: "next maintenance window",
      authorisation: "primary",
      triggers: [{ id: "few-rows", title: "few rows are bad, and everything works" }],
    },
    P4: {
      title: "P4: minimal impact, low business risk",
      deadlineMinutes: null,
      scope: null,
      impact: "Minimal",
      risk: "Low",
      action: "no rollback needed",
      triggers: [{ id: "cosmetic", title: "nobody is kept from working" }],
    },
  },
  authorisations: {
    primary: {
      title: "Primary approval",
      approvers: PRIMARY,
      agree: "any",
      ...(PRIMARY_AND_SECONDARY_REQUIRED ? { when: "together with the secondary approval" } : {}),
      notify: ["Development", "Product", "Support", "Executive"],
    },
    secondary: {
      title: "Secondary approval",
      approvers: SECONDARY,
      agree: "any",
      when: PRIMARY_AND_SECONDARY_REQUIRED ? "together with the primary approval" : "instead of the primary approval",
      notify: ["Development", "Product", "Support", "Executive"],
    },
    emergency: {
      title: "Emergency: any engineer on call with incident commander authority",
      approvers: ["On-Call Engineer"],
      agree: "any",
      when: "the severity is P1 and nobody else answers",
      notify: [...PRIMARY, ...SECONDARY],
    },
  },
  escalation: [
    { role: "Primary On-Call", afterMinutes: 0 },
    { role: "Secondary On-Call", afterMinutes: 5 },
    { role: "Executive Escalation", afterMinutes: 15 },
  ],
  roles: ["Incident Commander", "Technical Lead", "Database Administrator", "DevOps Engineer", "Product Owner"],
  notifications: [
    { when: "start", channel: "webhook", text: MESSAGES.started, to: ["#incident-response"] },
    { when: "start", channel: "banner", text: MESSAGES.maintenance },
    { when: "start", channel: "status-page", text: MESSAGES.maintenance },
    {
      when: "start",
      channel: "email",
      text: "Rollback of {from} to {to} begins: {reason} ({incident}).",
      to: ["Development", "Product", "Support", "Executive"],
    },
    { when: "done", channel: "chat", text: "Service restored on {to} after {duration} ({incident}).", to: ["Development", "Product"] },
    { when: "done", channel: "status-page", text: "Service is restored. Thank you for your patience.", to: ["External users"] },
    {
      when: "done",
      channel: "email",
      text: "{to} is in service; Phase 3 features are not available ({incident}).",
      fields: ["current system state", "known limitations"],
      to: ["Support"],
    },
    { when: "done", channel: "email", text: "Executive summary of {incident}: {reason}; restored after {duration}.", to: ["Executive"] },
    {
      when: "failed",
      channel: "chat",
      text: "The rollback stopped at {step}; users are kept out ({incident}).",
      to: ["#incident-response"],
    },
  ],
  drills: [
    {
      title: "Rollback rehearsal",
      everyDays: null,
      steps: ["run a drill of every fault", "compare the times with the plan's phases", "note when it was last tested", "review the plan"],
    },
  ],
  records: {
    governance: {
      title: "Governance entry",
      withinHours: 1,
      file: "logs/governance.jsonl",
      sections: { Entry: ["event_type", "resource_id", "action", "success", "details", "runtime_context"] },
      values: { event_type: "emergency_rollback", resource_id: "of-bev-phase-3", action: "rollback_deployment" },
    },
    protection: {
      title: "Phase 1: protection",
      withinHours: 1,
      sections: { Protection: ["Maintenance Mode Activated", "Incident Commander", "Rollback Reason"] },
    },
    backup: {
      title: "Phase 2: assessment and backup",
      withinHours: 1,
      sections: { Backup: ["Current State Backup", "Backup Hash", "DriveMemory Path"] },
    },
    restoration: {
      title: "Phase 3: restoration",
      withinHours: 1,
      sections: { Restoration: ["Restoration Method", "Restoration Timestamp", "Data Loss Period"] },
      choices: { "Restoration Method": ["Selective", "Transaction Rollback", "Full Restore", "JSON Import"] },
    },
    application: {
      title: "Phase 4: application",
      withinHours: 1,
      sections: { Application: ["Rollback Version", "Rollback Deployment Time", "Rollback Verification"] },
      choices: { "Rollback Verification": ["Success", "Issues"] },
    },
    impact: {
      title: "Impact assessment",
      withinHours: 2,
      sections: {
        Business: ["Downtime Duration", "Affected Users", "Data Loss", "Financial Impact"],
        Technical: ["Features Removed", "Features Restored", "Data Integrity", "System Performance"],
        Record: ["MemoryPlugin Anchor", "Archive Timestamp", "Impact Assessment Complete"],
      },
      choices: {
        "Data Loss": ["None", "Minimal", "Significant"],
        "Data Integrity": ["Maintained", "Compromised", "Restored"],
        "System Performance": ["Improved", "Same", "Degraded"],
        "Impact Assessment Complete": ["Yes", "No"],
      },
      values: {
        "Features Removed": "live database operations, inline editing, JSON import/export",
        "Features Restored": "pre-Phase-3 admin interface",
      },
    },
    stabilisation: {
      title: "Phase 6: stabilisation",
      withinHours: 2,
      sections: { Stabilisation: ["Maintenance Mode Disabled", "Service Fully Restored", "Monitoring Enhanced"] },
      choices: { "Monitoring Enhanced": ["Yes", "No"] },
    },
    analysis: {
      title: "Phase 7: analysis and prevention",
      withinHours: 7 * DAY_HOURS,
      sections: {
        "Root cause analysis": ["Incident Timeline", "Root Cause", "Contributing Factors", "Detection Gaps", "Response Effectiveness"],
        "Lessons learned": ["What Went Well", "What Could Be Improved", "Action Items", "Process Updates", "Team Training"],
        "Re-deployment": ["Issue Resolution", "Enhanced Testing", "Phased Rollout", "Monitoring Improvements", "Rollback Readiness"],
        Record: ["Root Cause Analysis Complete", "Prevention Measures Implemented", "Re-Deployment Plan"],
      },
      choices: {
        "Root Cause Analysis Complete": ["Yes", "No"],
        "Prevention Measures Implemented": ["Yes", "No"],
        "Re-Deployment Plan": ["Ready", "In Progress", "Not Started"],
      },
    },
    prevention: {
      title: "Prevention measures",
      withinHours: null,
      due: "before the next deployment attempt",
      sections: { Prevention: ["Prevention Measures Implemented"] },
    },
    final: {
      title: "Final documentation",
      withinHours: 2,
      file: "incidents/of-bev-phase3-rollback/{incident}-{date}.md",
      sections: {
        Summary: ["Rollback Completion Timestamp", "Total Rollback Duration", "MemoryPlugin Anchor", "Governance Log Reference"],
        Metrics: ["Rollback Duration", "Data Loss", "Service Availability", "Error Rate", "User Impact"],
        Status: ["Overall Rollback Status"],
      },
      choices: { "Overall Rollback Status": ["SUCCESS", "PARTIAL SUCCESS", "FAILED"] },
    },
  },
  targets: {
    "Rollback Duration": "< 2 hours",
    "Data Loss": "None",
    "Service Availability": "> 99 %",
    "Error Rate": "< 0.1 %",
    "User Impact": "Minimal",
  },
  completion: [
    "no errors and no degradation for 2 hours",
    "all users have access",
    "all features of before Phase 3 work",
    "data integrity verified",
    "monitoring green",
    "documentation archived",
    "stakeholders told",
  ],
  order: [
    "maintenance on",
    "permissions restricted",
    "state captured",
    "backup",
    "data restored",
    "compatibility checked",
    "application",
    "governance entry and archive",
    "watch of 15 minutes",
    "maintenance off and permissions given back",
    "analysis",
    "mend",
    "phased deployment",
  ],
  reviews: [{ title: "Rollback plan", when: "after any rollback in production" }],
  tracked: ["Last Tested", "Next Review"],
};
