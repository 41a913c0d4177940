-- The new tables go with all that hangs on them, and the table of before stands in its place again, with the limits as they are now.
CREATE TABLE previous_thresholds (
  zone text PRIMARY KEY,
  limit_msv numeric(12, 3) NOT NULL CONSTRAINT alert_thresholds_limit CHECK (limit_msv > 0)
);
INSERT INTO previous_thresholds (zone, limit_msv) SELECT zone, limit_msv FROM threshold_profiles WHERE kind = 'single';
DROP TABLE IF EXISTS dose_trends CASCADE;
DROP TABLE IF EXISTS threshold_profiles CASCADE;
ALTER TABLE previous_thresholds RENAME TO alert_thresholds;
ALTER INDEX previous_thresholds_pkey RENAME TO alert_thresholds_pkey;
