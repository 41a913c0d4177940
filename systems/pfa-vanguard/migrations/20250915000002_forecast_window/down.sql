ALTER TABLE pfa_records
  DROP CONSTRAINT IF EXISTS pfa_records_forecast_window,
  DROP COLUMN IF EXISTS forecast_end,
  DROP COLUMN IF EXISTS forecast_start;
