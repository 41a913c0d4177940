-- title: test_system_functionality passes for panels and manufacturing_orders
SELECT t.table_name || ': ' || test_name AS test, detail
FROM unnest(ARRAY['panels', 'manufacturing_orders']) AS name, test_system_functionality(name) AS t WHERE test_result <> 'PASS';
