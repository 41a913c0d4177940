/** Tables of the state database. */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS rollouts (
  epoch int PRIMARY KEY, rollout text NOT NULL, pins jsonb NOT NULL, plan jsonb NOT NULL, state text NOT NULL, run_id text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), opened_at timestamptz, recorded_at timestamptz, failure text, baseline jsonb, reason text);
CREATE TABLE IF NOT EXISTS journal (
  id bigserial PRIMARY KEY, epoch int NOT NULL, run_id text NOT NULL, phase text NOT NULL, kind text NOT NULL, step text NOT NULL, status text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), duration_ms double precision, detail jsonb);
CREATE TABLE IF NOT EXISTS databases (
  oid bigint PRIMARY KEY, name text NOT NULL, database text NOT NULL, role text NOT NULL, lineage jsonb NOT NULL, snapshot_id int, epoch int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(), verified jsonb);
CREATE TABLE IF NOT EXISTS snapshots (
  id serial PRIMARY KEY, database text NOT NULL, name text NOT NULL, generation int NOT NULL, driver text NOT NULL, location text NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT clock_timestamp(), epoch int NOT NULL, release text, automatic boolean NOT NULL, state text NOT NULL,
  manifest jsonb, statistics jsonb, baseline jsonb, size_bytes bigint, UNIQUE (database, name, generation));
CREATE TABLE IF NOT EXISTS exports (
  epoch int NOT NULL, database text NOT NULL, path text PRIMARY KEY, sha256 text NOT NULL, rows bigint NOT NULL, made_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS kept (key text PRIMARY KEY, value jsonb NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS holder (one boolean PRIMARY KEY DEFAULT true CHECK (one), who jsonb NOT NULL);
`;

/** Where backout keeps its record when there can be no second database: a schema of its own in the live one, left out of every dump and comparison. */
export const STATE_SCHEMA = "backout_state";
