-- title: The database answers SELECT 1
SELECT 1 AS "is not 1" WHERE (SELECT 1) <> 1;
