DROP TABLE IF EXISTS task_templates;
