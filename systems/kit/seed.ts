/** Puts data of any size into a PostgreSQL database, in one transaction that waits for no disk. */
import type { Client } from "pg";
import type { DataAccess } from "../../config/system/check.ts";

export async function inBulk(data: DataAccess, name: string, work: (database: Client) => Promise<void>): Promise<void> {
  const database = await data.database(name);
  await database.query("BEGIN");
  await database.query("SET LOCAL synchronous_commit = off");
  await work(database);
  await database.query("COMMIT");
  await database.query("ANALYZE");
}

/** The `rows` ids after the highest one of a table: first and last. */
export async function nextIds(database: Client, table: string, rows: number): Promise<[number, number]> {
  const { rows: found } = await database.query<{ last: number }>(`SELECT coalesce(max(id), 0)::float8 AS last FROM ${table}`);
  const { last } = found[0]!;
  return [last + 1, last + rows];
}
