/** What the five services can be set to, by the file the settings stood in before they were declared. */

/** The way to the database. */
export const DATABASE_SETTINGS = ["DB_POOL_MAX"] as const;
/** What is watched, how often, and for how long it is kept. */
export const MONITORING = ["CSV_POLL_MS", "ANOMALY_POLL_MS", "MUTED_DEVICES", "RETENTION_DAYS", "RETENTION_POLL_SECONDS"] as const;

/** In force where nothing is declared. A dose record is kept for thirty years. */
const DEFAULTS: Record<string, string> = {
  STATION: "main",
  MEMORY_LIMIT_MB: "256",
  DB_POOL_MAX: "8",
  CSV_POLL_MS: "200",
  ANOMALY_POLL_MS: "200",
  MUTED_DEVICES: "",
  RETENTION_DAYS: "10950",
  RETENTION_POLL_SECONDS: "60",
};

/** Declared settings, and the defaults of those that are not. */
export function settingsOf(config: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(DEFAULTS).map(([name, otherwise]) => [name, config[name] ?? otherwise]));
}
