/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { AnswerError, bodyOf, burstOf, logIn, send, type Access, type Burst, type Init } from "../kit/client.ts";

/** One account for each of two tenants. */
const ACCOUNTS = {
  north: { user: "admin", secret: "admin-password" },
  south: { user: "south-admin", secret: "second-tenant-password" },
} as const;
export type Tenant = keyof typeof ACCOUNTS;

export interface Ticket {
  ticketNumber: string;
  tenant: string;
  subject: string;
  updatedAt: string;
}

/** Logs a tenant's account in and resolves with its token. @throws AnswerError */
export function login(access: Access, tenant: Tenant = "north"): Promise<string> {
  const { user, secret } = ACCOUNTS[tenant];
  return logIn(access, { service: "app", username: user, secret });
}

/** One request of a logged-in user. @returns status and body, parsed where it is JSON */
export async function request(access: Access, token: string, path: string, init: Init = {}): Promise<{ status: number; text: string }> {
  const response = await send(access, "app", token, path, init);
  return { status: response.status, text: await response.text() };
}

/** The answer's body. @throws AnswerError for any status but 200 */
export async function ask<T>(access: Access, token: string, path: string): Promise<T> {
  const { status, text } = await request(access, token, path);
  if (status !== 200) throw new AnswerError(`GET ${path}`, status, text);
  return JSON.parse(text) as T;
}

export async function listTickets(access: Access, token: string): Promise<Ticket[]> {
  return (await ask<{ rows: Ticket[] }>(access, token, "/api/tickets")).rows;
}

/** A page as a browser gets it. @throws AnswerError */
export async function page(access: Access, path: string): Promise<string> {
  return bodyOf(`GET ${path}`, await access.fetch(`${access.url("app")}${path}`));
}

/** Reads over and over, `width` at a time, however long it takes. */
export function burst(access: Access, token: string, count: number, width: number): Promise<Burst> {
  return burstOf(access, { service: "app", path: "/api/tickets", token }, { count, width, limitMs: Infinity });
}
