-- title: Critical triggers are enabled
SELECT tgrelid::regclass || '.' || tgname AS disabled FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'
UNION ALL SELECT 'or dropped: no trigger exists' WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal);
