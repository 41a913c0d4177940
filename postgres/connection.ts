/** How backout's administrative role reaches a PostgreSQL server. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { UnreachableError, type Endpoint } from "./unreachable.ts";

export { canonicalTable, formatTable, parseTable, qualified, quote, TableNameError } from "./identifiers.ts";
export { UnreachableError, type Endpoint };

/** Every session renders values alike, so that text and hashes of the same row are equal in two sessions. */
export const PINNED_SETTINGS =
  "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c search_path=public -c client_min_messages=warning";

export const APPLICATION_NAME = "backout";

export function passwordOf(endpoint: Endpoint): string | undefined {
  if (endpoint.password !== undefined) return endpoint.password;
  if (endpoint.passwordFile === undefined) return undefined;
  return readFileSync(endpoint.passwordFile, "utf8").split("\n")[0];
}

/**
 * An administrative session. The caller ends it.
 * @throws UnreachableError when the server is down, refuses the role, or does not have the database (`code` is the SQLSTATE then).
 */
export async function connect(endpoint: Endpoint, database: string): Promise<pg.Client> {
  try {
    const client = new pg.Client({
      host: endpoint.host,
      port: endpoint.port,
      user: endpoint.user,
      password: passwordOf(endpoint),
      database,
      application_name: APPLICATION_NAME,
      options: PINNED_SETTINGS,
      connectionTimeoutMillis: 10_000,
    });
    // Without a listener an ended idle connection crashes the process.
    client.on("error", () => undefined);
    await client.connect();
    return client;
  } catch (error) {
    throw new UnreachableError(endpoint, database, error);
  }
}

/** Runs `work` with a session that is ended afterwards, whatever happens. */
export async function withSession<T>(endpoint: Endpoint, database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(endpoint, database);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
