-- title: SELECT version() answers
SELECT version() AS "not PostgreSQL" WHERE version() NOT LIKE 'PostgreSQL %';
