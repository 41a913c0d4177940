/** The error of a server that does not answer. Apart from the sessions: a caller that only catches it needs no client. */
import type { Endpoint } from "../../config/endpoint.ts";

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

  /** Adds what to do about it, where a caller knows. */
  helps(what: string): void {
    this.message += `: ${what}`;
  }
}
