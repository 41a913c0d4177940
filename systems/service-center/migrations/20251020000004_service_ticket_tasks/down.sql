-- Tasks go with their table; the tickets they belong to stay.
DROP TRIGGER IF EXISTS service_tickets_template_tasks ON service_tickets;
DROP FUNCTION IF EXISTS add_template_tasks();
DROP TABLE IF EXISTS service_ticket_tasks;
ALTER TABLE service_tickets
  DROP CONSTRAINT IF EXISTS service_tickets_subject_length,
  DROP COLUMN IF EXISTS workflow_state;
