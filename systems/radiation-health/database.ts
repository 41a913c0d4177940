/** The database: its migrations, the tables that hold what must not be lost, and what the newest migration brought. */
import type { DatabaseDefinition, EffectDefinition } from "../../config/system/definition.ts";

/** Its name on the server too. */
export const DATABASE = "radiation_health";

const MIGRATIONS = ["20250301000001_initial", "20251115000002_threshold_profiles"];

/** Tables of the newer release only. */
export const FEATURE_TABLES = ["threshold_profiles", "dose_trends"];
/** What the feature replaced: a table before it, a view after it. */
export const PREVIOUS_TABLE = "alert_thresholds";

export const radiationDatabase: DatabaseDefinition = {
  engine: "postgres",
  migrations: MIGRATIONS.map((name) => ({ name, path: `migrations/${name}` })),
  ledger: "prisma",
  tables: ["radiation_personnel", "devices", "csv_imports", "dose_readings", "alerts", ...FEATURE_TABLES],
  principalTable: "dose_readings",
};

export const effects: EffectDefinition[] = [
  {
    service: "websocket-service",
    title: "alerts already sent to clients",
    database: DATABASE,
    countSql: "SELECT count(*)::int AS rows FROM alerts WHERE receivers > 0 AND sent_at >= $1",
    requiresTable: "alerts",
  },
];
