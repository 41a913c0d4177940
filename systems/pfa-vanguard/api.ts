/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { AnswerError, bodyOf, burstOf, logIn, send, type Access, type Burst, type Init } from "../kit/client.ts";

export { AnswerError };

export const ORGANIZATION = "org-rio";
export const TEST_USER = "test-user";
export const TEST_USER_SECRET = "test-user-password";

export interface Row {
  pfaId: string;
  category: string;
  totalCost: number;
  [field: string]: unknown;
}

/** Logs the test account in and resolves with its token. @throws AnswerError */
export function login(access: Access): Promise<string> {
  return logIn(access, { service: "backend", username: TEST_USER, secret: TEST_USER_SECRET });
}

/** One request of a logged-in user. */
export function request(access: Access, token: string, path: string, init: Init = {}): Promise<Response> {
  return send(access, "backend", token, path, init);
}

export function listPath(more: Record<string, string> = {}): string {
  return `/api/pfa-data?${new URLSearchParams({ organizationId: ORGANIZATION, ...more }).toString()}`;
}

/** @throws AnswerError */
export async function list(access: Access, token: string, more: Record<string, string> = {}): Promise<Row[]> {
  const path = listPath(more);
  const text = await bodyOf(`GET ${path}`, await request(access, token, path));
  return (JSON.parse(text) as { rows: Row[] }).rows;
}

/** Reads `count` times, `width` at a time, or as often as fits into five seconds. */
export function burst(access: Access, token: string, count: number, width: number): Promise<Burst> {
  return burstOf(access, { service: "backend", path: listPath({ limit: "20" }), token }, { count, width });
}

export async function rssBytes(access: Pick<Access, "url" | "fetch">): Promise<number> {
  const response = await access.fetch(`${access.url("backend")}/health/metrics`);
  const { rssBytes } = (await response.json()) as { rssBytes?: unknown };
  if (typeof rssBytes !== "number") throw new AnswerError("GET /health/metrics", response.status, "no rssBytes");
  return rssBytes;
}
