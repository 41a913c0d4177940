-- Several limits a zone take the place of one. The earlier release goes on reading its own: a view under the name of the table that goes.
CREATE TABLE threshold_profiles (
  zone text NOT NULL,
  kind text NOT NULL CONSTRAINT threshold_profiles_kind CHECK (kind IN ('single', 'monthly')),
  limit_msv numeric(12, 3) NOT NULL CONSTRAINT threshold_profiles_limit CHECK (limit_msv > 0),
  PRIMARY KEY (zone, kind)
);
INSERT INTO threshold_profiles (zone, kind, limit_msv) SELECT zone, 'single', limit_msv FROM alert_thresholds;
INSERT INTO threshold_profiles (zone, kind, limit_msv) VALUES ('supervised', 'monthly', 2), ('controlled', 'monthly', 10);
DROP TABLE alert_thresholds;
CREATE VIEW alert_thresholds AS SELECT zone, limit_msv FROM threshold_profiles WHERE kind = 'single';

CREATE TABLE dose_trends (
  employee_number text NOT NULL,
  month date NOT NULL,
  dose_msv numeric(14, 3) NOT NULL,
  readings int NOT NULL,
  PRIMARY KEY (employee_number, month)
);
