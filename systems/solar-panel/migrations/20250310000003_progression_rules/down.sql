DELETE FROM rollback_config WHERE constraint_kind = 'TRIGGER';
DROP TRIGGER IF EXISTS station_progression ON panels;
DROP TRIGGER IF EXISTS mo_completion ON manufacturing_orders;
DROP FUNCTION check_station_progression(), check_mo_completion(), stations_passed(bigint, int), order_is_made(bigint, int);
