/** How backout's administrative role reaches a PostgreSQL server. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { SESSION_OPTIONS, settle } from "./session-settings.ts";
import { UnreachableError } from "../shared/unreachable.ts";
import type { Endpoint } from "../../config/endpoint.ts";

export const APPLICATION_NAME = "backout";

const UNKNOWN_SETTING = "42704";

export function passwordOf(endpoint: Endpoint): string | undefined {
  if (endpoint.password !== undefined) return endpoint.password;
  // What the driver takes by itself, the client tools are given.
  if (endpoint.passwordFile === undefined) return process.env["PGPASSWORD"];
  return readFileSync(endpoint.passwordFile, "utf8").split("\n")[0];
}

export interface SessionOptions {
  /** For looking only: what is kept is not written to by mistake. @default false */
  readOnly?: boolean;
}

/**
 * An administrative session. The caller ends it.
 * @throws UnreachableError when the server is down, refuses the role, or does not have the database (`code` is the SQLSTATE then).
 */
export async function connect(endpoint: Endpoint, database: string, { readOnly = false }: SessionOptions = {}): Promise<pg.Client> {
  const [newer, older] = SESSION_OPTIONS.map((options) => (readOnly ? `${options} -c default_transaction_read_only=on` : options));
  let client: pg.Client;
  try {
    client = await begin(endpoint, database, newer!).catch((error: { code?: string }) => {
      if (error.code !== UNKNOWN_SETTING) throw error;
      return begin(endpoint, database, older!);
    });
  } catch (error) {
    throw new UnreachableError(endpoint, database, error);
  }
  try {
    await settle(client);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw new UnreachableError(endpoint, database, error);
  }
}

async function begin(endpoint: Endpoint, database: string, options: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: endpoint.host,
    port: endpoint.port,
    user: endpoint.user,
    password: passwordOf(endpoint),
    database,
    application_name: APPLICATION_NAME,
    options,
    connectionTimeoutMillis: 10_000,
  });
  // Without a listener an ended idle connection crashes the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    // A server that waits for a password would hold the process until it gives up, a minute later.
    void client.end().catch(() => undefined);
    throw error;
  }
}

/** Runs `work` with a session that is ended afterwards, whatever happens. */
export async function withSession<T>(
  endpoint: Endpoint,
  database: string,
  work: (client: pg.Client) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const client = await connect(endpoint, database, options);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
