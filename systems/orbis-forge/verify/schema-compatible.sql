-- title: The schema has everything that v2.4.0 needs
-- scopes: full, selective, transaction, json-import, application
-- timeout: 10m
-- shows: SELECT count(*) || ' tables with every column that is needed' FROM sqlite_schema
--   WHERE type = 'table' AND name IN ('user_permissions', 'projects', 'phases', 'step_progress', 'governance_logs', 'change_history')
WITH needed (name, columns) AS (VALUES
  ('user_permissions', '["user_id", "role", "access_level", "original_access_level"]'),
  ('projects', '["id", "code", "name", "status", "updated_at"]'),
  ('phases', '["id", "project_id", "name", "position", "updated_at"]'),
  ('step_progress', '["id", "phase_id", "step", "percent", "updated_at"]'),
  ('governance_logs', '["id", "timestamp", "event_type", "user_id", "user_role", "resource_type", "resource_id", "action", "success"]'),
  ('governance_logs', '["details", "runtime_context"]'),
  ('change_history', '["id", "governance_log_id", "changed_at", "transaction_id"]'))
SELECT needed.name || '.' || value AS missing FROM needed, json_each(columns)
EXCEPT SELECT needed.name || '.' || found.name FROM needed, pragma_table_info(needed.name) AS found;
