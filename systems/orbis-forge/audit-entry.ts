/**
 * The governance entry of a rollback: a row of `governance_logs` in the data that is live afterwards, and a line of
 * `logs/governance.jsonl`.
 */
import type { AuditEntryDefinition, DataFacts, RunFacts } from "../../config/system/evidence.ts";

const AFFECTED_SYSTEMS = [
  "live_database_integration",
  "inline_editing_system",
  "json_import_export",
  "runtime_status_dashboard",
  "data_integrity_tools",
];

/** Up to this number of rows a loss counts as minimal. */
const MINIMAL_ROWS = 100;

export const auditEntry: AuditEntryDefinition = {
  database: "production",
  table: "governance_logs",
  identity: ["event_type", "timestamp", "resource_id"],
  file: "logs/governance.jsonl",
  entry: (facts) => ({
    // For a failed run, the time of its failure: the run that resumes has its own entry.
    timestamp: facts.openedAt ?? facts.steps.at(-1)?.at ?? facts.startedAt,
    event_type: "emergency_rollback",
    user_id: "emergency_admin",
    user_role: "incident_commander",
    resource_type: "production_deployment",
    resource_id: "of-bev-phase-3",
    action: "rollback_deployment",
    success: facts.success,
    details: detailsOf(facts),
    runtime_context: contextOf(facts),
  }),
};

/** The plan's list has no word for an import, nor for a rollback without data. */
export function methodOf({ data }: RunFacts): string {
  const facts = data["production"];
  if (facts?.action === "restore" || facts?.action === "undo") return "full_database_restore";
  if (facts?.action !== "repair") return "application_rollback";
  const repair = facts.from?.split(" ")[0];
  return repair === "transaction" ? "transaction_rollback" : repair === "json-import" ? "json_import_restore" : "selective_rollback";
}

export function dataLossOf(rows: number): "none" | "minimal" | "significant" {
  return rows === 0 ? "none" : rows <= MINIMAL_ROWS ? "minimal" : "significant";
}

export function detailsOf(facts: RunFacts) {
  const data = facts.data["production"];
  const verified = facts.checks.length > 0 && facts.checks.every(({ status }) => status !== "failed");
  return {
    operation: "OF-BEV Phase 3 Emergency Rollback",
    rollback_reason: facts.reason ?? "",
    trigger_condition: facts.incident["trigger"] ?? facts.reason ?? "",
    rollback_method: methodOf(facts),
    database_restoration: {
      backup_used: data?.from ?? null,
      restoration_timestamp: data?.at ?? null,
      data_loss_period: lossPeriod(facts, data),
      integrity_verified: facts.checks.some(({ name, status }) => name === "integrity" && status === "passed"),
    },
    application_rollback: {
      from_version: facts.from,
      to_version: facts.to,
      rollback_duration_minutes: facts.openedAt === null ? null : minutes(facts.startedAt, facts.openedAt),
      verification_status: facts.success && verified ? "success" : "failed",
    },
    affected_systems: AFFECTED_SYSTEMS,
    business_impact: {
      downtime_minutes: facts.openedAt === null ? null : minutes(facts.startedAt, facts.openedAt),
      affected_users: facts.incident["affectedUsers"] ?? null,
      data_loss: dataLossOf(data?.rows ?? 0),
      service_restoration: facts.openedAt === null ? "pending" : "complete",
    },
    ...(facts.failure === null ? {} : { failed_step: facts.failure }),
    ...(facts.completion === null ? {} : { completion: facts.completion }),
  };
}

export function contextOf(facts: RunFacts) {
  return {
    phase: "OF-BEV-Phase-3-Emergency-Rollback",
    environment: "production",
    incident_commander: facts.incident["commander"] ?? null,
    rollback_team: (facts.incident["team"] ?? "")
      .split(",")
      .map((member) => member.trim())
      .filter((member) => member !== ""),
    memoryplugin_anchor: facts.anchor,
  };
}

/** From the snapshot to the fence: rows written in this time are set aside. */
function lossPeriod({ startedAt }: RunFacts, data: DataFacts | undefined): string | null {
  if (data === undefined || data.rows === 0) return null;
  return data.snapshotTakenAt === null ? null : `${data.snapshotTakenAt} to ${startedAt}`;
}

function minutes(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 600) / 100;
}
