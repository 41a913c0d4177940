/** The error of a server that does not answer. Apart from the sessions: a caller that only catches it needs no client. */
import type { Endpoint } from "../../config/endpoint.ts";

const PASSWORD_FIX =
  ": set backout:serverPassword of the stack as a secret (`config set --secret`), or the variable BACKOUT_SERVER_PASSWORD";

/** The server did not answer, or refused the administrative role. */
export class UnreachableError extends Error {
  readonly code: string;
  readonly endpoint: Endpoint;
  readonly database: string;
  constructor(endpoint: Endpoint, database: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || cause.name : String(cause);
    const code = (cause as { code?: string } | null)?.code ?? "";
    const none = reason.includes("client password must be a string");
    const told = none ? "the server asks for a password, and none is set" : reason;
    // An embedded server has its own, in a file.
    const fix = endpoint.passwordFile === undefined && (none || code === "28P01") ? PASSWORD_FIX : "";
    super(`cannot reach database "${database}" at ${endpoint.host}:${endpoint.port} as ${endpoint.user}: ${told}${fix}`, { cause });
    this.name = "UnreachableError";
    this.code = code;
    this.endpoint = endpoint;
    this.database = database;
  }

  /** Adds what to do about it, where a caller knows. */
  helps(what: string): void {
    this.message += `: ${what}`;
  }
}
