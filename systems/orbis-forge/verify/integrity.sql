-- title: integrity_check and quick_check say ok
-- scopes: full, selective, transaction, json-import, application
-- timeout: 10m
-- shows: SELECT 'integrity_check ok, quick_check ok'
SELECT integrity_check AS problem FROM pragma_integrity_check WHERE integrity_check <> 'ok'
UNION ALL SELECT quick_check FROM pragma_quick_check WHERE quick_check <> 'ok';
