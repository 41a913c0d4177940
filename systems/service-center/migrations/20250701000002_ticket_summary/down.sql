DROP FUNCTION IF EXISTS refresh_reports();
DROP VIEW IF EXISTS ticket_counts;
DROP MATERIALIZED VIEW IF EXISTS reporting.ticket_summary;
DROP SCHEMA IF EXISTS reporting;
