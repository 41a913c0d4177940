DROP TABLE inspections, panels, pallets, manufacturing_orders, stations, users;
DROP SEQUENCE panel_barcodes;
DROP FUNCTION panel_type_fits_line(text, text);
DROP FUNCTION touch_row();
DROP FUNCTION count_pallet();
DROP TYPE panel_status;
