/** What an interrupted attempt left on a server. */
import type pg from "pg";

/** Unfinished databases of a family of names, e.g. after a crash. */
export async function unfinishedDatabases(admin: pg.Client, prefix: string): Promise<string[]> {
  const { rows } = await admin.query<{ datname: string }>(
    "SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND right(datname, 8) = '__making' ORDER BY datname",
    [prefix],
  );
  return rows.map(({ datname }) => datname);
}
