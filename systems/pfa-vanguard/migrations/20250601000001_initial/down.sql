DROP TABLE IF EXISTS feature_flags;
DROP TABLE IF EXISTS pfa_modification;
DROP TABLE IF EXISTS pfa_records;
DROP TABLE IF EXISTS users;
DROP FUNCTION IF EXISTS set_updated_at();
