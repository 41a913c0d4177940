/** The database: its migrations, the tables that hold users' rows, and the objects of the newest migration. */
import type { DatabaseDefinition, EffectDefinition, FlagStoreDefinition } from "../../config/system/definition.ts";

export const SYNC_MIGRATION = "20251128000003_phase4_bidirectional_sync_infrastructure";
export const SYNC_TABLES = ["pfa_write_queue", "pfa_sync_conflict"];

const MIGRATIONS = ["20250601000001_initial", "20250915000002_forecast_window", SYNC_MIGRATION];

export const pfaDatabase: DatabaseDefinition = {
  engine: "postgres",
  migrations: MIGRATIONS.map((name) => ({ name, path: `migrations/${name}` })),
  ledger: "prisma",
  tables: ["users", "pfa_records", "pfa_modification", ...SYNC_TABLES],
  principalTable: "pfa_records",
};

/** Fault switches of drills are not the system's flags. */
export const flagStore: FlagStoreDefinition = {
  database: "pfa",
  readSql: "SELECT flag_name AS name, enabled FROM feature_flags WHERE flag_name NOT LIKE 'fault:%' ORDER BY flag_name",
  writeSql:
    "INSERT INTO feature_flags (flag_name, enabled) VALUES ($1, $2) ON CONFLICT (flag_name) DO UPDATE SET enabled = excluded.enabled WHERE feature_flags.enabled <> excluded.enabled",
  requiresTable: "feature_flags",
};

export const effects: EffectDefinition[] = [
  {
    service: "worker",
    title: "rows already pushed to the PEMS API",
    database: "pfa",
    countSql: "SELECT count(*)::int AS rows FROM pfa_write_queue WHERE status = 'pushed' AND pushed_at >= $1",
    requiresTable: "pfa_write_queue",
  },
];
