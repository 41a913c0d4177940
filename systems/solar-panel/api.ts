/** The line's API as a client sees it: for checks, drills and the read probe. Shares no code with the program behind it. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export const OPERATOR = "line-operator";
export const OPERATOR_SECRET = "operator-password";

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

/** @throws AnswerError */
export async function login(access: Access): Promise<string> {
  const response = await access.fetch(`${access.url("line")}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: OPERATOR, password: access.secret(OPERATOR_SECRET) }),
  });
  const text = await response.text();
  const token = response.status === 200 ? (JSON.parse(text) as { token?: unknown }).token : undefined;
  if (typeof token !== "string") throw new AnswerError("POST /api/auth/login", response.status, text);
  return token;
}

export interface Answer {
  status: number;
  text: string;
}

export async function request(access: Access, token: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await access.fetch(`${access.url("line")}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

/** A panel as the line begins one. */
export function newPanel(serialNumber: string, notes: string) {
  return { serialNumber, panelType: "144", line: "LINE_2", notes };
}

/** @throws AnswerError */
export async function readPanels(access: Access, token: string): Promise<unknown[]> {
  const { status, text } = await request(access, token, "GET", "/api/panels?limit=20");
  if (status !== 200) throw new AnswerError("GET /api/panels", status, text);
  return (JSON.parse(text) as { panels: unknown[] }).panels;
}
