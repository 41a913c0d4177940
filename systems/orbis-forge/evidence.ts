/** Evidence of a rollback, and of the deployment that it may undo. All names have the same stamp. */
import { writeFileSync } from "node:fs";
import type { CaptureDefinition, EvidenceContext, EvidenceDefinition } from "../../config/system/evidence.ts";
import { bodyOf, capture, executionLogCapture, facts, hashed, json, setAsideCapture } from "../kit/captures.ts";
import { DATABASE, emergencyHeaders, EXPORT_PATH } from "./api.ts";
import { contextOf, detailsOf } from "./audit-entry.ts";
import { COUNTED_TABLES } from "./checks.ts";
import { exportDocument } from "./program/json-operations.ts";

const RECENT_SQL =
  "SELECT timestamp, event_type, user_id, action, success, details FROM governance_logs ORDER BY timestamp DESC, id DESC LIMIT 100";
const CHANGES_SQL = `SELECT ch.*, gl.timestamp AS governance_timestamp FROM change_history ch LEFT JOIN governance_logs gl ON ch.governance_log_id = gl.id
  WHERE ch.changed_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 hours') ORDER BY ch.changed_at DESC, ch.id DESC`;

/** Names in the anchor metadata, with their captures. */
const ARTIFACTS = [
  "emergency_backup_database",
  "pre_rollback_export",
  "system_health_snapshots",
  "governance_log_entries",
  "rollback_execution_logs",
];

const all = async (context: EvidenceContext, sql: string): Promise<Record<string, unknown>[]> => (await context.session(DATABASE)).all(sql);

const RECENT = "the last 100 entries of governance_logs, newest first";
const EXPORT = "the system's own export, for the emergency administrator";
const BACKUP = "complete copy of the data before the rollback, with its integrity_check";
const BEFORE = "all data before the deployment, for a restoration by import";
const INTEGRITY = "integrity_check, quick_check and foreign_key_check of the live data";
const HISTORY = "change_history of the last 2 hours with its governance entries, newest first";

const captures: CaptureDefinition[] = [
  capture("protect", "health", "rollback_health_{stamp}.json", "answer of /health", async (context) =>
    bodyOf(await context.get("app", "/health")),
  ),
  capture("protect", "table-counts", "rollback_db_stats_{stamp}.txt", "rows per table", async (context) => {
    const counts = COUNTED_TABLES.map((table) => `SELECT '${table}|' || count(*) AS line FROM ${table}`);
    return (await all(context, counts.join(" UNION ALL "))).map(({ line }) => `${String(line)}\n`).join("");
  }),
  capture("protect", "integrity", "rollback_integrity_{stamp}.json", INTEGRITY, async (context) => {
    const found: Record<string, unknown> = {};
    for (const pragma of ["integrity_check", "quick_check", "foreign_key_check"]) found[pragma] = await all(context, `PRAGMA ${pragma}`);
    return json(found);
  }),
  capture("protect", "recent-operations", "recent_operations_{stamp}.log", RECENT, async (context) => {
    const entries = await all(context, RECENT_SQL);
    return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("") || "(none)\n";
  }),
  capture("protect", "change-history", "rollback_change_history_{stamp}.json", HISTORY, async (context) =>
    json(await all(context, CHANGES_SQL)),
  ),
  capture("protect", "export", "emergency_export_{stamp}.json", EXPORT, async (context, file) => {
    const headers = emergencyHeaders((name) => context.secret(name));
    return hashed(context, file, await bodyOf(await context.get("app", EXPORT_PATH, headers)));
  }),
  capture("fenced", "backup", "emergency_backup_{stamp}.db", BACKUP, async (context, file) => {
    const said = await context.backup(DATABASE, file);
    writeFileSync(context.path(`rollback_backup_integrity_${context.facts.stamp}.txt`), `${said}\n`, { mode: 0o600 });
    return null;
  }),
  facts("details", "rollback_details.json", "details of the governance entry", detailsOf),
  facts("context", "rollback_context.json", "context of the governance entry", contextOf),
  executionLogCapture("rollback_execution_{stamp}.log"),
  facts(
    "verification",
    "rollback_verification_{stamp}.json",
    "results of the checks and the targets",
    ({ success, checks, completion }) => ({
      ...{ success, checks, completion },
    }),
  ),
  setAsideCapture(DATABASE, "production_corrupted_{stamp}.sha256"),
  facts("anchor", "anchor_metadata.json", "description of this folder", ({ anchor, reason }) => ({
    anchor_id: anchor,
    timestamp: new Date().toISOString(),
    event_type: "emergency_rollback",
    phase: "OF-BEV-Phase-3",
    rollback_reason: reason ?? "",
    artifacts: ARTIFACTS,
    retrieval_instructions: "Use this anchor to analyze rollback events and restore state if needed",
  })),
  {
    ...capture("fenced", "pre-deployment-export", "pre_deployment_export.json", BEFORE, async (context, file) =>
      hashed(context, file, json(await exportDocument(await context.session(DATABASE)))),
    ),
    of: "forward",
  },
];

export const evidence: EvidenceDefinition = {
  anchor: "of-bev-phase3-rollback-{stamp}",
  archive: "DriveMemory/OrbisForge/BackEndVisibility/Production/Rollbacks/",
  backups: { folder: "databases/rollback_backups/", begin: "emergency_backup_" },
  captures,
};
