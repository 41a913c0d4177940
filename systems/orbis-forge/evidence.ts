/** Evidence of a rollback, and of the deployment that it may undo. All names have the same stamp. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { CaptureDefinition, EvidenceContext, EvidenceDefinition } from "../../config/system/evidence.ts";
import { emergencyHeaders, EXPORT_PATH } from "./api.ts";
import { contextOf, detailsOf } from "./audit-entry.ts";
import { COUNTED_TABLES } from "./database.ts";
import { exportDocument } from "./program/json-operations.ts";

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
const DATABASE = "production";

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

const captures: CaptureDefinition[] = [
  {
    id: "health",
    title: "answer of /health",
    moment: "protect",
    file: "rollback_health_{stamp}.json",
    capture: async (context) => textOf(await context.get("app", "/health")),
  },
  {
    id: "table-counts",
    title: "rows per table",
    moment: "protect",
    file: "rollback_db_stats_{stamp}.txt",
    capture: async (context) => {
      const session = await context.session(DATABASE);
      const lines: string[] = [];
      for (const table of COUNTED_TABLES) {
        const [row] = await session.all<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`);
        lines.push(`${table}|${row?.rows ?? "?"}`);
      }
      return `${lines.join("\n")}\n`;
    },
  },
  {
    id: "integrity",
    title: "integrity_check, quick_check and foreign_key_check of the live data",
    moment: "protect",
    file: "rollback_integrity_{stamp}.json",
    capture: async (context) => {
      const session = await context.session(DATABASE);
      return json({
        integrity_check: await session.all("PRAGMA integrity_check"),
        quick_check: await session.all("PRAGMA quick_check"),
        foreign_key_check: await session.all("PRAGMA foreign_key_check"),
      });
    },
  },
  {
    id: "recent-operations",
    title: "the last 100 entries of governance_logs, newest first",
    moment: "protect",
    file: "recent_operations_{stamp}.log",
    capture: async (context) => {
      const entries = await (await context.session(DATABASE)).all(RECENT_SQL);
      return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("") || "(none)\n";
    },
  },
  {
    id: "change-history",
    title: "change_history of the last 2 hours with its governance entries, newest first",
    moment: "protect",
    file: "rollback_change_history_{stamp}.json",
    capture: async (context) => json(await (await context.session(DATABASE)).all(CHANGES_SQL)),
  },
  {
    id: "export",
    title: "the system's own export, for the emergency administrator",
    moment: "protect",
    file: "emergency_export_{stamp}.json",
    capture: async (context, file) => {
      const text = await textOf(
        await context.get(
          "app",
          EXPORT_PATH,
          emergencyHeaders((name) => context.secret(name)),
        ),
      );
      writeFileSync(context.path(`${file}.sha256`), hashLine(text, file), { mode: 0o600 });
      return text;
    },
  },
  {
    id: "backup",
    title: "complete copy of the data before the rollback, with its integrity_check",
    moment: "fenced",
    file: "emergency_backup_{stamp}.db",
    capture: async (context, file) => {
      const said = await context.backup(DATABASE, file);
      writeFileSync(context.path(`rollback_backup_integrity_${context.facts.stamp}.txt`), `${said}\n`, { mode: 0o600 });
      return null;
    },
  },
  {
    id: "details",
    title: "details of the governance entry",
    moment: "end",
    file: "rollback_details.json",
    capture: async ({ facts }) => Promise.resolve(json(detailsOf(facts))),
  },
  {
    id: "context",
    title: "context of the governance entry",
    moment: "end",
    file: "rollback_context.json",
    capture: async ({ facts }) => Promise.resolve(json(contextOf(facts))),
  },
  {
    id: "execution-log",
    title: "every step with its time",
    moment: "end",
    file: "rollback_execution_{stamp}.log",
    capture: async ({ facts }) =>
      Promise.resolve(
        facts.steps
          .map(({ at, phase, step, status, durationMs }) =>
            [at, phase, status, step, durationMs === null ? "" : `${Math.round(durationMs)} ms`].join("\t").trimEnd(),
          )
          .join("\n") + "\n",
      ),
  },
  {
    id: "verification",
    title: "results of the checks and the targets",
    moment: "end",
    file: "rollback_verification_{stamp}.json",
    capture: async ({ facts }) => Promise.resolve(json({ success: facts.success, checks: facts.checks, completion: facts.completion })),
  },
  {
    id: "set-aside",
    title: "the database that was set aside, by its hash",
    moment: "end",
    file: "production_corrupted_{stamp}.sha256",
    capture: async (context) => {
      const file = await context.quarantineFile(DATABASE);
      if (file === null) return "nothing was set aside: the data stayed or was repaired in place\n";
      return `${(await context.hash(file)) ?? "missing"}  ${file}\n`;
    },
  },
  {
    id: "anchor",
    title: "description of this folder",
    moment: "end",
    file: "anchor_metadata.json",
    capture: async ({ facts }) =>
      Promise.resolve(
        json({
          anchor_id: facts.anchor,
          timestamp: new Date().toISOString(),
          event_type: "emergency_rollback",
          phase: "OF-BEV-Phase-3",
          rollback_reason: facts.reason ?? "",
          artifacts: ARTIFACTS,
          retrieval_instructions: "Use this anchor to analyze rollback events and restore state if needed",
        }),
      ),
  },
  {
    id: "pre-deployment-export",
    title: "all data before the deployment, for a restoration by import",
    moment: "fenced",
    of: "forward",
    file: "pre_deployment_export.json",
    capture: async (context, file) => {
      const text = json(await exportDocument(await context.session(DATABASE)));
      writeFileSync(context.path(`${file}.sha256`), hashLine(text, file), { mode: 0o600 });
      return text;
    },
  },
];

export const evidence: EvidenceDefinition = {
  anchor: "of-bev-phase3-rollback-{stamp}",
  archive: "DriveMemory/OrbisForge/BackEndVisibility/Production/Rollbacks/",
  backups: { folder: "databases/rollback_backups/", begin: "emergency_backup_" },
  captures,
};

function hashLine(text: string, file: string): string {
  return `${createHash("sha256").update(text).digest("hex")}  ${file}\n`;
}

async function textOf(response: Awaited<ReturnType<EvidenceContext["get"]>>): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw new Error(`it answered ${response.status}: ${text.slice(0, 160).trim()}`);
  return text;
}
