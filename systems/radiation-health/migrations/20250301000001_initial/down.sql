DROP TABLE IF EXISTS alerts;
DROP TABLE IF EXISTS dose_readings;
DROP TABLE IF EXISTS csv_imports;
DROP TABLE IF EXISTS alert_thresholds;
DROP TABLE IF EXISTS devices;
DROP TABLE IF EXISTS radiation_personnel;
