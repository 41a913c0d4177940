ALTER TABLE projects ADD COLUMN inline_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE step_progress ADD COLUMN inline_note TEXT;

CREATE TABLE runtime_status (
  service TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  checked_at TEXT NOT NULL
);
