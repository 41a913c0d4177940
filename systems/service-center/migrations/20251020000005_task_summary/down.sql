DROP VIEW IF EXISTS task_counts;
DROP MATERIALIZED VIEW IF EXISTS reporting.task_summary;
CREATE OR REPLACE FUNCTION refresh_reports() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  REFRESH MATERIALIZED VIEW reporting.ticket_summary;
END
$$;
