-- title: test_system_functionality passes for panels and manufacturing_orders
-- timeout: 10m
-- shows: SELECT count(*) || ' tests passed'
--   FROM unnest(ARRAY['panels', 'manufacturing_orders']) AS name, test_system_functionality(name)
SELECT t.table_name || ': ' || test_name AS test, detail
FROM unnest(ARRAY['panels', 'manufacturing_orders']) AS name, test_system_functionality(name) AS t WHERE test_result <> 'PASS';
