/** Data of any size, made in the database. The same number of rows gives the same content. */
import type { DataAccess } from "../../config/system/check.ts";
import { inBulk, nextIds } from "../kit/seed.ts";
import { DATABASE } from "./api.ts";

/**
 * Adds `rows` panels of orders that are done, with their inspections and pallets. Pallets are loaded in bulk: their rule is left
 * unvalidated, as such a load leaves it, and the next deployment validates it.
 */
export const seed = (data: DataAccess, rows: number): Promise<void> =>
  inBulk(data, DATABASE, async (database) => {
    await database.query("ALTER TABLE pallets DROP CONSTRAINT IF EXISTS pallet_capacity");
    const [from, to] = await nextIds(database, "panels", rows);
    const orders = "SELECT n FROM generate_series(($1::bigint - 1) / 100 + 1, ($2::bigint - 1) / 100 + 1) AS n";
    const times = "timestamptz '2025-01-01 00:00:00Z' + i * interval '1 minute'";
    await database.query(
      `INSERT INTO manufacturing_orders (id, order_number, panel_type, target_quantity, updated_at)
     SELECT n, 'MO-' || lpad(n::text, 6, '0'), '144', 80, '2025-01-01' FROM (${orders}) o ON CONFLICT DO NOTHING`,
      [from, to],
    );
    const pallets = "SELECT n FROM generate_series(($1::bigint - 1) / 25 + 1, ($2::bigint - 1) / 25 + 1) AS n";
    await database.query(
      `INSERT INTO pallets (id, pallet_number, updated_at) SELECT n, 'PL-' || lpad(n::text, 6, '0'), '2025-01-01' FROM (${pallets}) p ON CONFLICT DO NOTHING`,
      [from, to],
    );
    await database.query("ALTER TABLE panels DISABLE TRIGGER panels_on_pallet, DISABLE TRIGGER panels_touched");
    await database.query(
      `INSERT INTO panels (id, serial_number, barcode, panel_type, line, status, current_station, mo_id, pallet_id, pmax, vmp, imp, notes, started_at, completed_at, created_at, updated_at)
     SELECT i, 'SN-' || lpad(i::text, 9, '0'), 'SP25-144-' || lpad(i::text, 8, '0'), '144', 'LINE_2',
       (CASE WHEN i % 10 < 8 THEN 'COMPLETED' WHEN i % 10 = 8 THEN 'IN_PROGRESS' ELSE 'PENDING' END)::panel_status,
       0, (i - 1) / 100 + 1, CASE WHEN i % 10 < 8 THEN (i - 1) / 25 + 1 END,
       CASE WHEN i % 10 < 8 THEN 400 + i % 20 END, CASE WHEN i % 10 < 8 THEN 40 END, CASE WHEN i % 10 < 8 THEN (400 + i % 20) / 40.0 END,
       'made in bulk', CASE WHEN i % 10 < 9 THEN ${times} END, CASE WHEN i % 10 < 8 THEN ${times} + interval '1 hour' END, ${times}, ${times}
     FROM generate_series($1::bigint, $2::bigint) AS i`,
      [from, to],
    );
    await database.query(
      `INSERT INTO inspections (panel_id, station, result, inspector, updated_at)
     SELECT i, s, 'PASS', 'inspector', ${times} FROM generate_series($1::bigint, $2::bigint) AS i, generate_series(1, 4) AS s WHERE i % 10 < 8 ORDER BY i, s`,
      [from, to],
    );
    // A panel is at the station of its last inspection.
    await database.query(
      "UPDATE panels SET current_station = CASE WHEN id % 10 < 8 THEN 4 ELSE 1 END WHERE id BETWEEN $1::bigint AND $2::bigint AND id % 10 < 9",
      [from, to],
    );
    await database.query("ALTER TABLE panels ENABLE TRIGGER panels_on_pallet, ENABLE TRIGGER panels_touched");
    await database.query("UPDATE pallets p SET panel_count = (SELECT count(*) FROM panels WHERE pallet_id = p.id)");
    for (const table of ["manufacturing_orders", "pallets", "panels"])
      await database.query(`SELECT setval(pg_get_serial_sequence($1, 'id'), (SELECT max(id) FROM ${table}))`, [table]);
    await database.query("SELECT setval('panel_barcodes', $1)", [to]);
    await database.query("ALTER TABLE pallets ADD CONSTRAINT pallet_capacity CHECK (panel_count BETWEEN 0 AND capacity) NOT VALID");
  });
