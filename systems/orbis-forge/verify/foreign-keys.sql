-- title: foreign_key_check finds no row
-- scopes: full, selective, transaction, json-import, application
SELECT rowid || ' of ' || "table" AS "row", parent AS "has no parent in" FROM pragma_foreign_key_check;
