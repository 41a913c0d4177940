/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** One account for each of two tenants. */
export const ACCOUNTS = {
  north: { user: "admin", secret: "admin-password" },
  south: { user: "south-admin", secret: "second-tenant-password" },
} as const;
export type Tenant = keyof typeof ACCOUNTS;

/** How to reach the API. */
export interface Access {
  url(component: string): string;
  fetch: Fetch;
  secret(name: string): string;
}

export interface Ticket {
  ticketNumber: string;
  tenant: string;
  subject: string;
  updatedAt: string;
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

/** Logs a tenant's account in and resolves with its token. @throws AnswerError */
export async function login(access: Access, tenant: Tenant = "north"): Promise<string> {
  const { user, secret } = ACCOUNTS[tenant];
  const response = await access.fetch(`${access.url("app")}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: user, password: access.secret(secret) }),
  });
  const text = await response.text();
  const token = response.status === 200 ? (JSON.parse(text) as { token?: unknown }).token : undefined;
  if (typeof token !== "string" || token.split(".").length !== 3) throw new AnswerError("POST /api/auth/login", response.status, text);
  return token;
}

/** One request of a logged-in user. @returns status and body, parsed where it is JSON */
export async function request(
  access: Access,
  token: string,
  path: string,
  init: { method?: string; body?: unknown } = {},
): Promise<{ status: number; text: string }> {
  const response = await access.fetch(`${access.url("app")}${path}`, {
    method: init.method ?? "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  return { status: response.status, text: await response.text() };
}

/** The answer's body. @throws AnswerError for any status but 200 */
export async function ask<T>(access: Access, token: string, path: string, init: { method?: string; body?: unknown } = {}): Promise<T> {
  const { status, text } = await request(access, token, path, init);
  if (status !== 200) throw new AnswerError(`${init.method ?? "GET"} ${path}`, status, text);
  return JSON.parse(text) as T;
}

export async function listTickets(access: Access, token: string): Promise<Ticket[]> {
  return (await ask<{ rows: Ticket[] }>(access, token, "/api/tickets")).rows;
}

/** A page as a browser gets it. @throws AnswerError */
export async function page(access: Access, path: string): Promise<string> {
  const response = await access.fetch(`${access.url("app")}${path}`);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(`GET ${path}`, response.status, text);
  return text;
}

export interface Burst {
  requests: number;
  errors: number;
  medianMs: number;
}

/** Reads over and over, `width` at a time; an answer of 500 or none is an error. */
export async function burst(access: Access, token: string, requests: number, width: number): Promise<Burst> {
  const times: number[] = [];
  let errors = 0;
  let left = requests;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const startedAt = performance.now();
      const status = await request(access, token, "/api/tickets").then(
        (answer) => answer.status,
        () => 599,
      );
      if (status >= 500) errors += 1;
      times.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  times.sort((a, b) => a - b);
  return { requests, errors, medianMs: times[Math.floor(times.length / 2)] ?? 0 };
}
