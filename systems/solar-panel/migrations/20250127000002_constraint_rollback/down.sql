DROP FUNCTION get_system_health_status(), test_data_integrity(text), test_system_functionality(text), run_constraint_health_check();
DROP VIEW constraint_performance_summary, constraint_health_overview, constraint_violation_summary, constraint_recovery_plan;
DROP FUNCTION analyze_constraint_performance(int), get_constraint_violations(), recover_constraint(text, text), constraint_violation_count(text, text);
DROP FUNCTION emergency_rollback_critical_constraints(), rollback_constraint(text, text, text), dropped_constraints();
DROP FUNCTION save_constraint_definition(text, text), constraint_state(text, text), severity_name(int), severity_rank(text);
DROP TABLE rollback_test_results, rollback_config;
