/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { burstOf, logIn, readJson, send, type Access, type Burst, type Init } from "../kit/client.ts";

export const DATABASE = "production";
export const TEST_USER = "test-user";
export const ADMIN = "admin";
export const PASSWORDS = { [TEST_USER]: "test-user-password", [ADMIN]: "admin-password" };
export const EMERGENCY_SECRET = "emergency-key";
export const EXPORT_PATH = "/api/json-operations/export";

/** Logs a user in and resolves with the token. @throws AnswerError */
export const login = (access: Access, username: keyof typeof PASSWORDS = TEST_USER): Promise<string> =>
  logIn(access, { service: "app", username, secret: PASSWORDS[username] });

/** One request of a logged-in user. */
export const request = (access: Access, token: string | null, path: string, init: Init = {}): Promise<Response> =>
  send(access, "app", token, path, init);

/** @throws AnswerError */
export const rows = async <Row>(access: Access, token: string, path: string): Promise<Row[]> =>
  (await readJson<{ rows: Row[] }>(access, "app", token, path)).rows;

export const emergencyHeaders = (secret: (name: string) => string): Record<string, string> => ({
  "x-user-id": "emergency_admin",
  "x-emergency-key": secret(EMERGENCY_SECRET),
});

/** Reads `count` times, `width` at a time, or as often as fits into five seconds. */
export const burst = (access: Access, token: string, path: string, count: number, width: number): Promise<Burst> =>
  burstOf(access, { service: "app", path, token }, { count, width });

/** Below this users notice nothing, and five times a very short time is noise. */
export const slowAbove = (baselineMs: number): number => Math.max(100, 5 * baselineMs);
