/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export const ORGANIZATION = "org-rio";
export const TEST_USER = "test-user";
export const TEST_USER_SECRET = "test-user-password";

/** How to reach the API. */
export interface Access {
  url(component: string): string;
  fetch: Fetch;
  secret(name: string): string;
}

export interface Row {
  pfaId: string;
  category: string;
  totalCost: number;
  [field: string]: unknown;
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

/** Logs the test account in and resolves with its token. @throws AnswerError */
export async function login(access: Access): Promise<string> {
  const response = await access.fetch(`${access.url("backend")}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: TEST_USER, password: access.secret(TEST_USER_SECRET) }),
  });
  const text = await response.text();
  const token = response.status === 200 ? (JSON.parse(text) as { token?: unknown }).token : undefined;
  if (typeof token !== "string" || token.split(".").length !== 3) throw new AnswerError("POST /api/auth/login", response.status, text);
  return token;
}

/** One request of a logged-in user. */
export function request(
  access: Access,
  token: string,
  path: string,
  init: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  return access.fetch(`${access.url("backend")}${path}`, {
    method: init.method ?? "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...init.headers },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
}

export function listPath(more: Record<string, string> = {}): string {
  return `/api/pfa-data?${new URLSearchParams({ organizationId: ORGANIZATION, ...more }).toString()}`;
}

/** @throws AnswerError */
export async function list(access: Access, token: string, more: Record<string, string> = {}): Promise<Row[]> {
  const path = listPath(more);
  const response = await request(access, token, path);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(`GET ${path}`, response.status, text);
  return (JSON.parse(text) as { rows: Row[] }).rows;
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
export async function burst(access: Access, token: string, count: number, width: number): Promise<Burst> {
  const until = performance.now() + BURST_LIMIT_MS;
  const durations: number[] = [];
  let errors = 0;
  const one = async (): Promise<void> => {
    const startedAt = performance.now();
    const ok = await request(access, token, listPath({ limit: "20" }))
      .then(async (response) => (await response.text(), response.status < 500))
      .catch(() => false);
    durations.push(performance.now() - startedAt);
    if (!ok) errors += 1;
  };
  let left = count;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left > 0 && performance.now() < until) {
        left -= 1;
        await one();
      }
    }),
  );
  const sorted = durations.sort((a, b) => a - b);
  return { requests: sorted.length, errors, medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0 };
}

export async function rssBytes(access: Pick<Access, "url" | "fetch">): Promise<number> {
  const response = await access.fetch(`${access.url("backend")}/health/metrics`);
  const { rssBytes } = (await response.json()) as { rssBytes?: unknown };
  if (typeof rssBytes !== "number") throw new AnswerError("GET /health/metrics", response.status, "no rssBytes");
  return rssBytes;
}
