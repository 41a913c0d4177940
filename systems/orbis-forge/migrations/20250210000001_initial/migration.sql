CREATE TABLE user_permissions (
  id INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  access_level TEXT NOT NULL,
  original_access_level TEXT
);

CREATE TABLE projects (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active',
  updated_at TEXT NOT NULL
);

CREATE TABLE phases (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE INDEX phases_project ON phases (project_id);

CREATE TABLE step_progress (
  id INTEGER PRIMARY KEY,
  phase_id INTEGER NOT NULL REFERENCES phases (id) ON DELETE CASCADE,
  step TEXT NOT NULL,
  percent INTEGER NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE INDEX step_progress_phase ON step_progress (phase_id);

CREATE TABLE governance_logs (
  id INTEGER PRIMARY KEY,
  timestamp TEXT NOT NULL,
  event_type TEXT NOT NULL,
  user_id TEXT NOT NULL,
  user_role TEXT,
  resource_type TEXT,
  resource_id TEXT,
  action TEXT NOT NULL,
  success INTEGER NOT NULL,
  details TEXT,
  runtime_context TEXT
);
CREATE INDEX governance_logs_timestamp ON governance_logs (timestamp);

CREATE TABLE change_history (
  id INTEGER PRIMARY KEY,
  governance_log_id INTEGER REFERENCES governance_logs (id),
  changed_at TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  table_name TEXT NOT NULL,
  row_id INTEGER NOT NULL,
  row_code TEXT,
  operation TEXT NOT NULL,
  before TEXT,
  after TEXT
);
CREATE INDEX change_history_transaction ON change_history (transaction_id);

INSERT INTO user_permissions (user_id, role, access_level) VALUES
  ('admin', 'superuser', 'admin'),
  ('emergency_admin', 'emergency_admin', 'admin'),
  ('test-user', 'editor', 'write'),
  ('reader', 'viewer', 'read_only');
