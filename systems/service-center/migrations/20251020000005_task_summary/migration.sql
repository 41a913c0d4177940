CREATE MATERIALIZED VIEW reporting.task_summary AS
  SELECT tenant_id, status, count(*) AS tasks FROM public.service_ticket_tasks GROUP BY tenant_id, status;
CREATE VIEW task_counts AS
  SELECT status, tasks FROM reporting.task_summary WHERE tenant_id = public.current_tenant();

CREATE OR REPLACE FUNCTION refresh_reports() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  REFRESH MATERIALIZED VIEW reporting.ticket_summary;
  REFRESH MATERIALIZED VIEW reporting.task_summary;
END
$$;
