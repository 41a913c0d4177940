-- Rules that a row alone does not tell. A rollback that keeps the schema leaves all of this in place, so that it must be possible to apply it again.
CREATE OR REPLACE FUNCTION stations_passed(p_panel bigint, p_station int) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT p_station <= 1 OR count(DISTINCT station) = p_station - 1 FROM inspections
  WHERE panel_id = p_panel AND result = 'PASS' AND station BETWEEN 1 AND p_station - 1
$$;

CREATE OR REPLACE FUNCTION check_station_progression() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT stations_passed(NEW.id, NEW.current_station) THEN
    RAISE EXCEPTION 'panel % stands at station % without having passed those before', NEW.serial_number, NEW.current_station
      USING ERRCODE = '23514', CONSTRAINT = 'station_progression', TABLE = 'panels';
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION order_is_made(p_order bigint, p_quantity int) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT count(*) >= p_quantity FROM panels WHERE mo_id = p_order AND status = 'COMPLETED'
$$;

CREATE OR REPLACE FUNCTION check_mo_completion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'COMPLETED' AND NOT order_is_made(NEW.id, NEW.target_quantity) THEN
    RAISE EXCEPTION 'order % is completed with fewer than % finished panels', NEW.order_number, NEW.target_quantity
      USING ERRCODE = '23514', CONSTRAINT = 'mo_completion', TABLE = 'manufacturing_orders';
  END IF;
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS station_progression ON panels;
CREATE CONSTRAINT TRIGGER station_progression AFTER INSERT OR UPDATE ON panels FOR EACH ROW EXECUTE FUNCTION check_station_progression();
DROP TRIGGER IF EXISTS mo_completion ON manufacturing_orders;
CREATE CONSTRAINT TRIGGER mo_completion AFTER INSERT OR UPDATE ON manufacturing_orders FOR EACH ROW EXECUTE FUNCTION check_mo_completion();

INSERT INTO rollback_config
  (constraint_name, table_name, rollback_priority, risk_level, estimated_duration_ms, business_impact, drop_order, constraint_kind, violation_condition) VALUES
  ('station_progression', 'panels', 1, 'HIGH', 500, 'CRITICAL', 2, 'TRIGGER', '(NOT stations_passed(r.id, r.current_station))'),
  ('mo_completion', 'manufacturing_orders', 3, 'MEDIUM', 300, 'MEDIUM', 3, 'TRIGGER', '(r.status = ''COMPLETED'' AND NOT order_is_made(r.id, r.target_quantity))')
ON CONFLICT DO NOTHING;
SELECT save_constraint_definition(constraint_name, table_name) FROM rollback_config WHERE constraint_kind = 'TRIGGER';
