-- title: Every dropped constraint is offered for recovery, by table and name
-- timeout: 10m
-- shows: SELECT coalesce(string_agg(table_name || '.' || constraint_name, ', ') || ': lowest risk first', 'nothing is dropped')
--   FROM constraint_recovery_plan
SELECT constraint_name || ' of ' || table_name AS "dropped, but not in rollback_test_results with PASS"
FROM rollback_config WHERE constraint_state(constraint_name, table_name) = 'ABSENT'
EXCEPT SELECT constraint_name || ' of ' || table_name FROM constraint_recovery_plan;
