-- title: SELECT version() answers
-- shows: SELECT version()
SELECT version() AS "not PostgreSQL" WHERE version() NOT LIKE 'PostgreSQL %';
