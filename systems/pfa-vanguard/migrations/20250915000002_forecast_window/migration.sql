ALTER TABLE pfa_records
  ADD COLUMN forecast_start date,
  ADD COLUMN forecast_end date,
  ADD CONSTRAINT pfa_records_forecast_window CHECK (forecast_end >= forecast_start);
