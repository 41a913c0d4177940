/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { AnswerError, burstOf, logIn, readJson, send, type Access, type Burst, type Init } from "../kit/client.ts";

export const ORGANIZATION = "org-rio";
export const TEST_USER = "test-user";
export const TEST_USER_SECRET = "test-user-password";
export const SYNC_FLAG = "bi_directional_sync";
export const SYNC_MIGRATION = "20251128000003_phase4_bidirectional_sync_infrastructure";
export const SYNC_TABLES = ["pfa_write_queue", "pfa_sync_conflict"];
export const DROP_SYNC_TABLES = "drop-sync-tables";
/** Banner of partial A. */
export const SYNC_DISABLED = "Sync temporarily disabled. Read-only mode.";

export interface Row {
  pfaId: string;
  category: string;
  totalCost: number;
  [field: string]: unknown;
}

/** Logs the test account in and resolves with its token. @throws AnswerError */
export const login = (access: Access): Promise<string> =>
  logIn(access, { service: "backend", username: TEST_USER, secret: TEST_USER_SECRET });

/** One request of a logged-in user. */
export const request = (access: Access, token: string, path: string, init: Init = {}): Promise<Response> =>
  send(access, "backend", token, path, init);

export const listPath = (more: Record<string, string> = {}): string =>
  `/api/pfa-data?${new URLSearchParams({ organizationId: ORGANIZATION, ...more }).toString()}`;

/** @throws AnswerError */
export const list = async (access: Access, token: string, more: Record<string, string> = {}): Promise<Row[]> =>
  (await readJson<{ rows: Row[] }>(access, "backend", token, listPath(more))).rows;

/** Reads `count` times, `width` at a time, or as often as fits into five seconds. */
export const burst = (access: Access, token: string, count: number, width: number): Promise<Burst> =>
  burstOf(access, { service: "backend", path: listPath({ limit: "20" }), token }, { count, width });

export async function rssBytes(access: Pick<Access, "url" | "fetch">): Promise<number> {
  const response = await access.fetch(`${access.url("backend")}/health/metrics`);
  const { rssBytes } = (await response.json()) as { rssBytes?: unknown };
  if (typeof rssBytes !== "number") throw new AnswerError("GET /health/metrics", response.status, "no rssBytes");
  return rssBytes;
}
