DROP TABLE runtime_status;
ALTER TABLE step_progress DROP COLUMN inline_note;
ALTER TABLE projects DROP COLUMN inline_version;
