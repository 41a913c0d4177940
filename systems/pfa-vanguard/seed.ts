/** Data of any size, made in the database. The same number of rows gives the same content. */
import type { Client } from "pg";
import type { DataAccess } from "../../config/system/check.ts";
import { inBulk, nextIds } from "../kit/seed.ts";

/** From here on an index costs less to build again than to keep up row by row. */
const MANY_ROWS = 50_000;
const INDEX = "pfa_records_organization";

/** Adds `rows` imported records, and one change for every twentieth. */
export const seed = (data: DataAccess, rows: number): Promise<void> =>
  inBulk(data, "pfa", async (database) => {
    const range = await nextIds(database, "pfa_records", rows);
    const definition = rows < MANY_ROWS ? null : await dropIndex(database);
    await database.query(
      `INSERT INTO pfa_records (pfa_id, organization_id, category, description, monthly_rate, duration_months, total_cost, source,
       forecast_start, forecast_end, created_at, updated_at)
     SELECT 'PFA-' || lpad(i::text, 9, '0'), (ARRAY['org-rio', 'org-oslo', 'org-perth', 'org-houston', 'org-busan'])[1 + i % 5],
       (ARRAY['Equipment', 'Labour', 'Materials', 'Services'])[1 + i / 5 % 4], 'Imported item ' || i, 100 + i % 900, 1 + i % 36,
       (100 + i % 900) * (1 + i % 36), 'import', date '2025-01-01' + (i % 365)::int, date '2025-01-01' + (i % 365)::int + 30 * (1 + i % 36)::int,
       timestamptz '2025-01-01 00:00:00Z' + i * interval '1 second', timestamptz '2025-01-01 00:00:00Z' + i * interval '1 second'
     FROM generate_series($1::bigint, $2::bigint) AS i`,
      range,
    );
    await database.query(
      `INSERT INTO pfa_modification (record_id, pfa_id, operation, after, changed_at)
     SELECT id, pfa_id, 'create', jsonb_build_object('pfaId', pfa_id, 'category', category, 'totalCost', total_cost), created_at
     FROM pfa_records WHERE pfa_id >= 'PFA-' || lpad($1::bigint::text, 9, '0') AND pfa_id <= 'PFA-' || lpad($2::bigint::text, 9, '0') AND id % 20 = 0 ORDER BY id`,
      range,
    );
    if (definition !== null) await database.query(definition);
  });

/** Resolves with the statement that builds it again; null where there is none. */
async function dropIndex(database: Client): Promise<string | null> {
  const { rows } = await database.query<{ definition: string }>("SELECT pg_get_indexdef(to_regclass($1)) AS definition", [INDEX]);
  const definition = rows[0]?.definition ?? null;
  if (definition !== null) await database.query(`DROP INDEX ${INDEX}`);
  return definition;
}
