/** The witness as a user: signs in, writes, and knows of every answer whether it settles the matter. */
import type { WitnessConfig } from "./config.ts";
import { fill, fillBody, fillPath, type Operation, type Placeholders } from "./script.ts";

/**
 * `ack`: 2xx. `refused`: certainly not done. `doubt`: the answer does not settle it (5xx, reset, time-out). `gone`: the system says that it
 * has no such row (after its data went back). `signIn`: the token is not valid any more.
 */
export type Verdict = "ack" | "refused" | "doubt" | "gone" | "signIn";

export interface Outcome {
  verdict: Verdict;
  /** 0 where there was no answer. */
  status: number;
  error?: string;
}

// The request never left, so nothing can have been written.
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

function verdictOf(status: number): Verdict {
  if (status >= 200 && status < 300) return "ack";
  if (status === 401) return "signIn";
  if (status === 404 || status === 410) return "gone";
  // 408: the server gave up waiting and may have begun. 503 and other 5xx: a service can fail after its commit.
  if (status >= 400 && status < 500 && status !== 408) return "refused";
  return "doubt";
}

function errorCode(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (typeof code === "string") return code;
    if (cause.name === "TimeoutError") return "TIMEOUT";
  }
  return error instanceof Error ? error.name : "unknown";
}

export class Client {
  #token: string | undefined;
  #signingIn: Promise<Outcome> | undefined;
  readonly #config: WitnessConfig;
  readonly #loginBody: Record<string, string>;
  readonly #onSignIn: (outcome: Outcome) => void;

  constructor(config: WitnessConfig, loginBody: Record<string, string>, onSignIn: (outcome: Outcome) => void) {
    this.#config = config;
    this.#loginBody = loginBody;
    this.#onSignIn = onSignIn;
  }

  get signedIn(): boolean {
    return this.#token !== undefined;
  }

  /** One sign-in for all writers that ask at the same time. */
  signIn(): Promise<Outcome> {
    this.#signingIn ??= this.#requestToken().finally(() => {
      this.#signingIn = undefined;
    });
    return this.#signingIn;
  }

  async write(operation: Operation, id: string, value: string | null): Promise<Outcome> {
    const token = this.#token;
    const request = this.#config.script[operation];
    const values: Placeholders = { id, ...(value === null ? {} : { value }), ...(token === undefined ? {} : { token }) };
    const body = "body" in request ? fillBody(request.body, values) : undefined;
    const outcome = await this.#send(request.method, fillPath(request.path, values), body);
    if (outcome.verdict === "signIn" && this.#token === token) this.#token = undefined;
    // A row that is being made cannot be gone: the address itself is unknown.
    return outcome.verdict === "gone" && operation === "insert" ? { ...outcome, verdict: "refused" } : outcome;
  }

  /** True where the system answered as a system does, whatever it said about this row. */
  async read(id: string): Promise<{ ok: boolean; status: number; error?: string }> {
    const { status, error } = await this.#send("GET", fillPath(this.#config.readPath, { id }));
    return { ok: status > 0 && status < 500 && status !== 401, status, ...(error === undefined ? {} : { error }) };
  }

  async #requestToken(): Promise<Outcome> {
    const { method, path, tokenField } = this.#config.script.login;
    let token: unknown;
    const outcome = await this.#send(method, fillPath(path, {}), this.#loginBody, async (response) => {
      const answer: unknown = await response.json();
      token = tokenField.split(".").reduce<unknown>((value, part) => (value as Record<string, unknown> | null | undefined)?.[part], answer);
    });
    if (outcome.verdict === "ack" && typeof token !== "string") Object.assign(outcome, { verdict: "refused", error: "NO_TOKEN" });
    if (outcome.verdict === "ack") this.#token = token as string;
    this.#onSignIn(outcome);
    return outcome;
  }

  async #send(method: string, path: string, body?: unknown, use?: (response: Response) => Promise<void>): Promise<Outcome> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (this.#token !== undefined) headers.authorization = fill("Bearer {{token}}", { token: this.#token });
    if (body !== undefined) headers["content-type"] = "application/json";
    let status = 0;
    try {
      const response = await fetch(this.#config.baseUrl + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: "manual",
        signal: AbortSignal.timeout(this.#config.requestTimeoutMs),
      });
      status = response.status;
      if (use !== undefined && response.ok) await use(response);
      else await response.arrayBuffer();
      return { verdict: verdictOf(status), status };
    } catch (error) {
      const code = errorCode(error);
      // The status line acknowledged the write; a body that breaks off does not revoke that.
      if (status !== 0 && use === undefined) return { verdict: verdictOf(status), status, error: code };
      return { verdict: NEVER_SENT.has(code) ? "refused" : "doubt", status, error: code };
    }
  }
}
