-- title: The health views have no 🔴 and no 🟡 row
SELECT status, what FROM (
  SELECT constraint_name || ' on ' || table_name AS what, overall_status AS status FROM constraint_health_overview
  UNION ALL SELECT service || ': ' || detail, status FROM get_system_health_status()
) AS overview
WHERE status IN ('🔴 CRITICAL', '🟡 WARNING');
