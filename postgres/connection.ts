/** How backout's administrative role reaches a PostgreSQL server, and the one place where identifiers are quoted. */
import { readFileSync } from "node:fs";
import pg from "pg";

/** A server and the administrative role on it. Exactly one of `passwordFile` and `password` is normally set. */
export interface Endpoint {
  host: string;
  port: number;
  user: string;
  /** File whose first line is the password; readable by its owner only. Preferred: the password is then in no state, log or argument. */
  passwordFile?: string;
  password?: string;
}

/** Every session renders values alike, so that text and hashes of the same row are equal in two sessions. */
export const PINNED_SETTINGS =
  "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c search_path=public -c client_min_messages=warning";

export const APPLICATION_NAME = "backout";

/** The server did not answer, or refused the administrative role. */
export class UnreachableError extends Error {
  readonly code: string;
  readonly endpoint: Endpoint;
  readonly database: string;
  constructor(endpoint: Endpoint, database: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || cause.name : String(cause);
    super(`cannot reach database "${database}" at ${endpoint.host}:${endpoint.port} as ${endpoint.user}: ${reason}`, { cause });
    this.name = "UnreachableError";
    this.code = (cause as { code?: string } | null)?.code ?? "";
    this.endpoint = endpoint;
    this.database = database;
  }
}

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

export function quote(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}

/** `schema.table` or `table` (of `public`), quoted. */
export function qualified(table: string): string {
  const [schema, name] = table.includes(".") ? (table.split(".", 2) as [string, string]) : ["public", table];
  return `${quote(schema)}.${quote(name)}`;
}
