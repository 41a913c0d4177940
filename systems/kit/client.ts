/** A system's API as a client sees it: what every system's `api.ts` is made of. Shares no code with the programs behind it. */
import type { Agent as HttpAgent } from "node:http";

// An import of `node:http` would load all of fetch and WebSocket with it.
const { Agent, get } = process.getBuiltinModule("node:http");

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** How to reach the API. */
export interface Access {
  url(service: string): string;
  fetch: Fetch;
  secret(name: string): string;
  /** Headers that other requests than `fetch` need while the gate is closed. */
  passHeaders?: Record<string, string>;
}

/** An unexpected answer. */
export class AnswerError extends Error {
  readonly status: number;
  constructor(request: string, status: number, body: string) {
    super(`${request} answered ${status}: ${body.slice(0, 160).trim()}`);
    this.name = "AnswerError";
    this.status = status;
  }
}

const LOGIN_PATH = "/api/auth/login";

export interface Account {
  /** Service that logs people in. */
  service: string;
  username: string;
  /** Name of the secret that is the password. */
  secret: string;
  /** Whether a text is a token. @default a JSON Web Token */
  isToken?: (token: string) => boolean;
}

/** Logs an account in and resolves with its token. @throws AnswerError */
export async function logIn(access: Access, { service, username, secret, isToken = isWebToken }: Account): Promise<string> {
  const response = await access.fetch(`${access.url(service)}${LOGIN_PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password: access.secret(secret) }),
  });
  const text = await response.text();
  const token = response.status === 200 ? (JSON.parse(text) as { token?: unknown }).token : undefined;
  if (typeof token !== "string" || !isToken(token)) throw new AnswerError(`POST ${LOGIN_PATH}`, response.status, text);
  return token;
}

function isWebToken(token: string): boolean {
  return token.split(".").length === 3;
}

export interface Init {
  method?: string;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** One request of a logged-in user; anonymous if `token` is null. */
export function send(
  access: Pick<Access, "url" | "fetch">,
  service: string,
  token: string | null,
  path: string,
  { method = "GET", body, headers = {} }: Init = {},
): Promise<Response> {
  return access.fetch(`${access.url(service)}${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      "content-type": "application/json",
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** The body of an answer. @throws AnswerError for any status but 200 */
export async function bodyOf(request: string, response: Response): Promise<string> {
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(request, response.status, text);
  return text;
}

/** The answer to a request as JSON. @param token null: anonymous. @throws AnswerError for any status but 200 */
export async function readJson<T>(
  access: Pick<Access, "url" | "fetch">,
  service: string,
  token: string | null,
  path: string,
  init: Init = {},
): Promise<T> {
  return JSON.parse(await bodyOf(`${init.method ?? "GET"} ${path}`, await send(access, service, token, path, init))) as T;
}

export interface Burst {
  requests: number;
  /** Answers of 500 and more, redirects, and missing answers. */
  errors: number;
  /** What the first error was. */
  firstError: string | null;
  medianMs: number;
}

/** `2 errors in 200 requests (the first: answered 502)` */
export function errorsInWords({ requests, errors, firstError }: Omit<Burst, "medianMs">): string {
  return `${errors} errors in ${requests} requests${firstError === null ? "" : ` (the first: ${firstError})`}`;
}

/** The errors and the median, with the former median if known. */
export function burstInWords(burst: Burst, beforeMs: number | null | undefined): string {
  const before = beforeMs == null ? "" : ` (before: ${beforeMs.toFixed(1)} ms)`;
  return `${errorsInWords(burst)}, median ${burst.medianMs.toFixed(1)} ms${before}`;
}

/** Enough requests to recognise a slow system. */
const BURST_LIMIT_MS = 5_000;
const ANSWER_LIMIT_MS = 10_000;

/** The path that is read repeatedly. */
export interface Read {
  service: string;
  path: string;
  /** Null: anonymous. */
  token: string | null;
  /** Any status but 200 is an error, and so is an answer that is not JSON. */
  strictly?: true;
}

/**
 * Reads `count` times, `width` at a time, or as often as fits into `limitMs`: five seconds unless given. Without `fetch`, whose own work
 * would be a third of the measured time.
 */
export async function burstOf(
  { url, passHeaders }: Pick<Access, "url" | "passHeaders">,
  { service, path, token, strictly }: Read,
  { count, width, limitMs = BURST_LIMIT_MS }: { count: number; width: number; limitMs?: number },
): Promise<Burst> {
  const headers = { ...passHeaders, ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  const agent = new Agent({ keepAlive: true });
  const until = performance.now() + limitMs;
  const durations: number[] = [];
  let errors = 0;
  let firstError: string | null = null;
  let left = count;
  const reader = async (): Promise<void> => {
    while (left > 0 && performance.now() < until) {
      left -= 1;
      const startedAt = performance.now();
      const error = await answerOf(`${url(service)}${path}`, headers, agent).then(
        ({ status, text }) => (strictly ? strictErrorIn(status, text) : errorIn(status)),
        ({ message }: Error) => message,
      );
      durations.push(performance.now() - startedAt);
      if (error === null) continue;
      errors += 1;
      firstError ??= error;
    }
  };
  await Promise.all(Array.from({ length: width }, reader)).finally(() => agent.destroy());
  if (durations.length === 0) throw new Error(`no request was made to ${path}: nothing to measure`);
  const sorted = durations.sort((a, b) => a - b);
  return { requests: sorted.length, errors, firstError, medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0 };
}

/** A redirect is not followed, so its target is unknown. */
function errorIn(status: number): string | null {
  return status >= 500 || (status >= 300 && status < 400) ? `answered ${status}` : null;
}

function strictErrorIn(status: number, text: string): string | null {
  if (status !== 200) return `answered ${status}`;
  try {
    JSON.parse(text);
    return null;
  } catch {
    return `answered 200, but not with JSON: ${text.slice(0, 40).trim()}`;
  }
}

interface Answer {
  status: number;
  text: string;
}

/** A complete answer. @throws if there is none */
function answerOf(url: string, headers: Record<string, string>, agent: HttpAgent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const silence = (): void => reject(new Error("the connection was closed without an answer"));
    const request = get(url, { agent, headers, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }, (response) => {
      // From here on the response object reports its end.
      request.off("close", silence);
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.once("end", () => resolve({ status: response.statusCode!, text }));
      response.once("error", reject);
    });
    request.once("error", reject);
    // An upgrade answer ends the request without a response.
    request.once("upgrade", (_response, socket) => socket.destroy());
    request.once("close", silence);
  });
}
