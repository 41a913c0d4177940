/** Tables of the state file. Times are ISO 8601 text, documents are JSON text. */
export const FILE_SCHEMA = `
CREATE TABLE IF NOT EXISTS rollouts (
  epoch INTEGER PRIMARY KEY, rollout TEXT NOT NULL, pins TEXT NOT NULL, plan TEXT NOT NULL, state TEXT NOT NULL, run_id TEXT NOT NULL,
  started_at TEXT NOT NULL, opened_at TEXT, recorded_at TEXT, failure TEXT, baseline TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL, run_id TEXT NOT NULL, phase TEXT NOT NULL, kind TEXT NOT NULL, step TEXT NOT NULL,
  status TEXT NOT NULL, at TEXT NOT NULL, duration_ms REAL, detail TEXT);
CREATE TABLE IF NOT EXISTS databases (
  oid INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE, name TEXT NOT NULL, path TEXT NOT NULL, database TEXT NOT NULL, role TEXT NOT NULL,
  lineage TEXT NOT NULL, snapshot_id INTEGER, epoch INTEGER NOT NULL, created_at TEXT NOT NULL, verified TEXT);
CREATE TABLE IF NOT EXISTS snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, driver TEXT NOT NULL, location TEXT NOT NULL,
  taken_at TEXT NOT NULL, epoch INTEGER NOT NULL, release TEXT, automatic INTEGER NOT NULL, state TEXT NOT NULL, manifest TEXT, statistics TEXT,
  baseline TEXT, size_bytes INTEGER, UNIQUE (database, name, generation));
CREATE TABLE IF NOT EXISTS exports (
  epoch INTEGER NOT NULL, database TEXT NOT NULL, path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, rows INTEGER NOT NULL, made_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS swaps (
  database TEXT PRIMARY KEY, swap TEXT NOT NULL, begun_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), who TEXT NOT NULL);
`;

/** The present time as ISO 8601 with milliseconds, in UTC. SQL. */
export const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
