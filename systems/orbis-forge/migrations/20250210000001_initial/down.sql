DROP TABLE change_history;
DROP TABLE governance_logs;
DROP TABLE step_progress;
DROP TABLE phases;
DROP TABLE projects;
DROP TABLE user_permissions;
