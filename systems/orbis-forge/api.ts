/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export const TEST_USER = "test-user";
export const ADMIN = "admin";
export const TEST_USER_SECRET = "test-user-password";
export const ADMIN_SECRET = "admin-password";
export const EMERGENCY_SECRET = "emergency-key";
export const EMERGENCY_USER = "emergency_admin";
export const EXPORT_PATH = "/api/json-operations/export";
export const IMPORT_PATH = "/api/json-operations/import";

/** How to reach the API. */
export interface Access {
  url(component: string): string;
  fetch: Fetch;
  secret(name: string): string;
}

/** An answer other than expected. */
export class AnswerError extends Error {
  readonly status: number;
  constructor(request: string, status: number, body: string) {
    super(`${request} answered ${status}: ${body.slice(0, 160).trim()}`);
    this.name = "AnswerError";
    this.status = status;
  }
}

const PASSWORDS: Record<string, string> = { [TEST_USER]: TEST_USER_SECRET, [ADMIN]: ADMIN_SECRET };

/** Logs a user in and resolves with the token. @throws AnswerError */
export async function login(access: Access, username: string = TEST_USER): Promise<string> {
  const response = await access.fetch(`${access.url("app")}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password: access.secret(PASSWORDS[username] ?? "") }),
  });
  const text = await response.text();
  const token = response.status === 200 ? (JSON.parse(text) as { token?: unknown }).token : undefined;
  if (typeof token !== "string" || token.split(".").length !== 3) throw new AnswerError("POST /api/auth/login", response.status, text);
  return token;
}

export interface Init {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** One request of a logged-in user. */
export function request(access: Access, token: string | null, path: string, init: Init = {}): Promise<Response> {
  return access.fetch(`${access.url("app")}${path}`, {
    method: init.method ?? "GET",
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      "content-type": "application/json",
      ...init.headers,
    },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
}

/** @throws AnswerError */
export async function rows<Row>(access: Access, token: string, path: string): Promise<Row[]> {
  const response = await request(access, token, path);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(`GET ${path}`, response.status, text);
  return (JSON.parse(text) as { rows: Row[] }).rows;
}

export function emergencyHeaders(secret: (name: string) => string): Record<string, string> {
  return { "x-user-id": EMERGENCY_USER, "x-emergency-key": secret(EMERGENCY_SECRET) };
}

export interface Burst {
  requests: number;
  /** Answers of 500 and more, and none at all. */
  errors: number;
  medianMs: number;
}

/** Enough to know a slow system by. */
const BURST_LIMIT_MS = 5_000;

/** Reads `count` times, `width` at a time, or as often as fits into five seconds. */
export async function burst(access: Access, token: string, path: string, count: number, width: number): Promise<Burst> {
  const until = performance.now() + BURST_LIMIT_MS;
  const durations: number[] = [];
  let errors = 0;
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0 && performance.now() < until) {
      left -= 1;
      const startedAt = performance.now();
      const ok = await request(access, token, path)
        .then(async (response) => (await response.text(), response.status < 500))
        .catch(() => false);
      durations.push(performance.now() - startedAt);
      if (!ok) errors += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  const sorted = durations.sort((a, b) => a - b);
  return { requests: sorted.length, errors, medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0 };
}
