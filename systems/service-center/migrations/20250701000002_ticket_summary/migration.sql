-- Policies do not reach into a materialised view: it lies where the services' role may not read, and is read through a view that asks for the tenant.
CREATE SCHEMA reporting;
CREATE MATERIALIZED VIEW reporting.ticket_summary AS
  SELECT tenant_id, status, count(*) AS tickets FROM public.service_tickets GROUP BY tenant_id, status;
CREATE UNIQUE INDEX ticket_summary_key ON reporting.ticket_summary (tenant_id, status);
CREATE VIEW ticket_counts AS
  SELECT status, tickets FROM reporting.ticket_summary WHERE tenant_id = public.current_tenant();

CREATE FUNCTION refresh_reports() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  REFRESH MATERIALIZED VIEW reporting.ticket_summary;
END
$$;
