-- title: More than 95 % of the rows comply with the constraints in force
-- timeout: 10m
-- shows: SELECT to_char(coalesce(100 - 100.0 * violating / nullif(rows, 0), 100), 'FM990.00') || ' % of ' || rows || ' rows comply' FROM (
--     SELECT coalesce(sum(n.live) FILTER (WHERE h.state <> 'ABSENT'), 0) AS rows, coalesce(sum(h.violation_count), 0) AS violating
--     FROM constraint_health_overview h JOIN (
--       SELECT 'panels' AS table_name, count(*) AS live FROM panels UNION ALL SELECT 'pallets', count(*) FROM pallets
--       UNION ALL SELECT 'users', count(*) FROM users UNION ALL SELECT 'stations', count(*) FROM stations
--       UNION ALL SELECT 'manufacturing_orders', count(*) FROM manufacturing_orders) AS n USING (table_name)
--   ) AS seen
SELECT round(100 - 100.0 * violating / rows, 2) || ' % of ' || rows || ' rows comply' AS "the limit is 95 %" FROM (
  SELECT coalesce(sum(n.live) FILTER (WHERE h.state <> 'ABSENT'), 0) AS rows, coalesce(sum(h.violation_count), 0) AS violating
  FROM constraint_health_overview h JOIN (
    SELECT 'panels' AS table_name, count(*) AS live FROM panels UNION ALL SELECT 'pallets', count(*) FROM pallets
    UNION ALL SELECT 'users', count(*) FROM users UNION ALL SELECT 'stations', count(*) FROM stations
    UNION ALL SELECT 'manufacturing_orders', count(*) FROM manufacturing_orders) AS n USING (table_name)
) AS seen WHERE rows > 0 AND violating >= 0.05 * rows;
