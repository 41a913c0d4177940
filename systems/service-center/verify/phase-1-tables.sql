-- title: The tables of Phase 1 exist
-- scopes: full, partial-migration, application
SELECT name AS missing FROM unnest(ARRAY['service_tickets', 'customers', 'products', 'parts']) AS name
WHERE to_regclass('public.' || name) IS NULL;
