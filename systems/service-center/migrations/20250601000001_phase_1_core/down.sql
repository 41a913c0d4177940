DROP TABLE IF EXISTS service_tickets;
DROP TABLE IF EXISTS parts;
DROP TABLE IF EXISTS products;
DROP TABLE IF EXISTS customers;
DROP SEQUENCE IF EXISTS service_ticket_numbers;
DROP FUNCTION IF EXISTS number_service_ticket();
DROP FUNCTION IF EXISTS set_updated_at();
DROP FUNCTION IF EXISTS current_tenant();
