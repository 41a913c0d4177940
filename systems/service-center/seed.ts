/** Data of any size for both tenants, made in the database. The same number of rows gives the same content. */
import type { DataAccess } from "../../config/system/check.ts";
import { inBulk } from "../kit/seed.ts";
import { DATABASE } from "./api.ts";

const CUSTOMERS_PER_TICKET = 20;

/** Adds `rows` imported tickets with their customers, products and parts; odd ones belong to one tenant, even ones to the other. */
export const seed = (data: DataAccess, rows: number): Promise<void> =>
  inBulk(data, DATABASE, async (database) => {
    const customers = 2 * Math.max(1, Math.ceil(rows / CUSTOMERS_PER_TICKET / 2));
    const tenant = "(ARRAY['south', 'north'])[1 + i % 2]";
    await database.query(
      `INSERT INTO customers (id, tenant_id, name, email, created_at, updated_at)
     SELECT i, ${tenant}, 'Customer ' || i, 'customer' || i || '@example.org', timestamptz '2025-01-01 00:00:00Z', timestamptz '2025-01-01 00:00:00Z'
     FROM generate_series(1, $1::int) AS i`,
      [customers],
    );
    await database.query(
      `INSERT INTO products (id, tenant_id, name, model, updated_at)
     SELECT i, ${tenant}, 'Device ' || i, 'M' || i, timestamptz '2025-01-01 00:00:00Z' FROM generate_series(1, 20) AS i`,
    );
    await database.query(
      `INSERT INTO parts (tenant_id, product_id, name, stock, updated_at)
     SELECT p.tenant_id, p.id, 'Part ' || n || ' of ' || p.name, n * 10, timestamptz '2025-01-01 00:00:00Z' FROM products p, generate_series(1, 3) AS n ORDER BY p.id, n`,
    );
    // An even step keeps customer and product within the ticket's own tenant.
    await database.query(
      `INSERT INTO service_tickets (ticket_number, tenant_id, customer_id, product_id, subject, status, created_at, updated_at)
     SELECT 'IMP-' || lpad(i::text, 9, '0'), ${tenant}, 1 + (i - 1) % $2::int, 1 + (i - 1) % 20, 'Imported ticket ' || i,
       (ARRAY['open', 'in progress', 'closed'])[1 + i % 3], timestamptz '2025-01-01 00:00:00Z' + i * interval '1 second',
       timestamptz '2025-01-01 00:00:00Z' + i * interval '1 second'
     FROM generate_series(1, $1::int) AS i`,
      [rows, customers],
    );
    for (const table of ["customers", "products"])
      await database.query(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT max(id) FROM ${table}))`);
  });
