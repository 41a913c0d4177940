/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { bodyOf, burstOf, logIn, send, type Access, type Burst, type Init } from "../kit/client.ts";

export const TEST_USER = "test-user";
export const ADMIN = "admin";
export const TEST_USER_SECRET = "test-user-password";
export const ADMIN_SECRET = "admin-password";
export const EMERGENCY_SECRET = "emergency-key";
const EMERGENCY_USER = "emergency_admin";
export const EXPORT_PATH = "/api/json-operations/export";
export const IMPORT_PATH = "/api/json-operations/import";

const PASSWORDS: Record<string, string> = { [TEST_USER]: TEST_USER_SECRET, [ADMIN]: ADMIN_SECRET };

/** Logs a user in and resolves with the token. @throws AnswerError */
export function login(access: Access, username: string = TEST_USER): Promise<string> {
  return logIn(access, { service: "app", username, secret: PASSWORDS[username] ?? "" });
}

/** One request of a logged-in user. */
export function request(access: Access, token: string | null, path: string, init: Init = {}): Promise<Response> {
  return send(access, "app", token, path, init);
}

/** @throws AnswerError */
export async function rows<Row>(access: Access, token: string, path: string): Promise<Row[]> {
  const text = await bodyOf(`GET ${path}`, await request(access, token, path));
  return (JSON.parse(text) as { rows: Row[] }).rows;
}

export function emergencyHeaders(secret: (name: string) => string): Record<string, string> {
  return { "x-user-id": EMERGENCY_USER, "x-emergency-key": secret(EMERGENCY_SECRET) };
}

/** Reads `count` times, `width` at a time, or as often as fits into five seconds. */
export function burst(access: Access, token: string, path: string, count: number, width: number): Promise<Burst> {
  return burstOf(access, { service: "app", path, token }, { count, width });
}
